"""The lock file of a data folder: a second server on the same data is refused.

A dead owner's lock is free at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from convexpy.persistence.interface import StoreRefused


class FolderLock:
    """Holds `lock` in a folder from construction until `release`."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._file)
        except OSError as error:
            owner = os.read(self._file, 20).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreRefused(
                f"another server uses {folder}" + (f" (process {owner})" if owner else ""),
                code="DataFolderInUse",
                hint="stop the other server first",
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the folder go; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, 100, os.SEEK_SET)  # beyond the text, which stays readable
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
