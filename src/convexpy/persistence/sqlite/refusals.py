"""What the operating system and SQLite say when files cannot be opened or written, as errors that say what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from convexpy.errors import Error
from convexpy.persistence.interface import DataDamaged, StoreRefused

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the operating system says when there is no room."""
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FOLDER = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNUSABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


def disk_refusal(error: OSError, where: Path) -> StoreRefused:
    """Return the error for a file or folder that cannot be used; `where` is it, unless the error knows better."""
    path = error.filename if isinstance(error.filename, str) else where
    text = error.strerror or str(error)
    if error.errno in DISK_FULL:
        return _full(path, text)
    if error.errno in _FORBIDDEN | _NO_FOLDER:
        return _unusable(path, text)
    return StoreRefused(
        f"{path}: {text}",
        code="StorageFailed",
        hint="look at the disk and at the system's log, then start again",
    )


def _full(path: object, text: str) -> StoreRefused:
    return StoreRefused(
        f"{path}: no room to write ({text})",
        code="StorageFull",
        hint="free space on this file system, or raise the quota or file size limit, then start again; no data is lost",
    )


def _unusable(path: object, text: str) -> StoreRefused:
    return StoreRefused(
        f"{path} cannot be used: {text}",
        code="DataFolderUnusable",
        hint="the user that runs the server must be able to read and write the folder and all files in it",
    )


@contextmanager
def refusing(folder: Path) -> Generator[None]:
    """Turn whatever opening and reading a data folder may raise into an `Error`."""
    try:
        yield
    except Error:
        raise
    except sqlite3.Error as error:
        raise sqlite_refusal(error, folder) from error
    except OSError as error:
        raise disk_refusal(error, folder) from error
    except (ValueError, TypeError, LookupError) as error:
        # What was read is not of the form that was written.
        raise DataDamaged(f"{folder} cannot be read: {error!r}") from error


def file_refusal(error: BaseException, where: Path) -> Error | None:
    """Return the error for what the disk or SQLite says of a data folder; None if it is not an error of storage."""
    if isinstance(error, sqlite3.Error):
        return sqlite_refusal(error, where)
    return disk_refusal(error, where) if isinstance(error, OSError) else None


def sqlite_refusal(error: sqlite3.Error, folder: Path) -> Error:
    """Return the error for what SQLite says of a file in `folder`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(folder, str(error))
    if code in _BUSY:
        return StoreRefused(
            f"another program holds the files in {folder} ({error})",
            code="DataFolderInUse",
            hint="close SQLite tools that write to them",
        )
    if code in _UNUSABLE:
        return _unusable(folder, str(error))
    if code == sqlite3.SQLITE_IOERR:
        return StoreRefused(
            f"{folder}: {error}",
            code="StorageFailed",
            hint="the disk or a limit refused to read or write: look at free space, quotas, file size limits (ulimit -f) "
            "and the system's log, then start again",
        )
    return DataDamaged(f"{folder}: {error}")
