"""SQLite connections as this room needs them.

One connection per file writes and also folds its write-ahead log; all others are opened `mode=ro`.
Automatic folding is off everywhere: inside a commit it costs milliseconds at a moment nobody chose. No
mmap: an I/O error would be a signal.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from convexpy.limits import WAL_KEPT_BYTES_MAX
from convexpy.persistence.interface import OutcomeUnknown, StoreFull

BUSY_TIMEOUT_MS = 5000
READ_CACHE_KIB = 32 * 1024
SURELY_ABSENT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY}


def open_writing(path: Path) -> sqlite3.Connection:
    """Open the one connection that writes to a file, creating the file if need be."""
    # The commit thread uses a connection that the main thread opened; never both at once.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=1024)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA mmap_size=0")
    # The write-ahead log keeps its largest size otherwise, even when it is empty.
    connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT_BYTES_MAX}")
    if sys.platform == "darwin":
        # fsync on macOS does not reach the disk.
        connection.execute("PRAGMA fullfsync=1")
        connection.execute("PRAGMA checkpoint_fullfsync=1")
    return connection


def open_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads; texts come as bytes."""
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=1024
    )
    connection.text_factory = bytes
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA mmap_size=0")
    connection.execute(f"PRAGMA cache_size=-{READ_CACHE_KIB}")
    return connection


def wal_is_small(path: Path) -> bool:
    """Say whether the write-ahead log of a database file takes no more space than it may keep."""
    wal = path.with_name(f"{path.name}-wal")
    return not wal.exists() or wal.stat().st_size <= WAL_KEPT_BYTES_MAX


def empty_wal(connection: sqlite3.Connection) -> None:
    """Fold the write-ahead log and cut its file to nothing, if that is possible without waiting for readers."""
    connection.execute("PRAGMA busy_timeout=0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Run a block as one write transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def raising_outcomes() -> Generator[None]:
    """Turn errors of a write into the two kinds that matter to the committer."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest says more of the same.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in SURELY_ABSENT:
            raise StoreFull(str(error)) from error
        raise OutcomeUnknown(str(error)) from error
    except OSError as error:
        raise OutcomeUnknown(str(error)) from error
