"""SQLite's own check of a whole file: pages, order of keys, and that every row is in the indexes of its table."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from convexpy.persistence.interface import DataDamaged
from convexpy.persistence.sqlite._connection import open_reading

logger = logging.getLogger("convexpy.storage")

FAULTS_MAX = 20


def check_structure(
    path: Path, opened: Callable[[sqlite3.Connection], None] = lambda connection: None
) -> None:
    """Raise DataDamaged if a file's structure is damaged. Takes about 6 ms a MiB, and no lock that keeps others waiting.

    `opened` gets the connection, so that another thread can interrupt it.
    """
    faults = structure_faults(path, opened)
    if faults:
        raise DataDamaged(f"{path} is damaged: {faults[0]}")


def structure_faults(
    path: Path, opened: Callable[[sqlite3.Connection], None] = lambda connection: None
) -> list[str]:
    """Return what SQLite finds wrong with a file, at most 20 lines."""
    try:
        with closing(open_reading(path)) as connection:
            opened(connection)
            rows = connection.execute(f"PRAGMA integrity_check({FAULTS_MAX})").fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT:
            raise
        return [str(error)]
    texts = [line for (text,) in rows for line in text.decode(errors="replace").splitlines()]
    return [] if texts == ["ok"] else [text for text in texts if not text.startswith("***")]


class LargeFilesCheck:
    """Checks files in a thread of its own; what is wrong with them is logged as an error. Without files it does nothing."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="convexpy-structure", daemon=True)
        if paths:
            self._thread.start()

    def _run(self) -> None:
        for path in self._paths:
            if self._stopping:
                return
            try:
                check_structure(path, self._opened)
            except DataDamaged as error:
                logger.error("%s; %s", error.message, error.hint)
            except sqlite3.Error as error:
                if self._stopping:
                    return
                logger.warning("%s could not be checked: %s", path, error)
            finally:
                with self._lock:
                    self._connection = None

    def _opened(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._connection = connection
            if self._stopping:
                connection.interrupt()

    def wait(self) -> None:
        """Wait until all files are checked."""
        if self._paths:
            self._thread.join()

    def close(self) -> None:
        """End the check, done or not."""
        with self._lock:
            self._stopping = True
            if self._connection is not None:
                self._connection.interrupt()
        if self._thread.is_alive():
            self._thread.join()
