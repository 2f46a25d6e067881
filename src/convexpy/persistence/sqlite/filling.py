"""Filling a data folder with the data of another store: beside its place, then renamed."""

from __future__ import annotations

import shutil
from pathlib import Path

from convexpy.persistence import moved
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.interface import StoreRefused
from convexpy.persistence.sqlite.checkpoint import SqliteCheckpointWriter
from convexpy.persistence.sqlite.log import SqliteLogStore
from convexpy.persistence.sqlite.reader import SqliteCheckpointReader
from convexpy.runtime import sync_folder

UNFINISHED = "copying"
"""The folder in the data folder where the files are until they are complete."""


class SqliteTarget:
    """Fills `log.db` and `data.db` of a folder that has none.

    Raises:
        StoreRefused: the folder is in use, or has data.
    """

    def __init__(self, folder: Path, deployment_id: str) -> None:
        self.place: str = str(folder)
        self._folder = folder
        self._deployment_id = deployment_id
        self._unfinished = folder / UNFINISHED
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(folder)
        try:
            for name in ("log.db", "data.db"):
                if (folder / name).exists():
                    raise StoreRefused(
                        f"{folder} has data already: {name}",
                        code="DataFolderUnusable",
                        hint="move log.db and data.db away, with what ends in -wal and -shm; keys and files stay",
                    )
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(mode=0o700)
            self.log: SqliteLogStore = SqliteLogStore(
                self._unfinished / "log.db", deployment_id=deployment_id
            )
        except BaseException:
            self._lock.release()
            raise

    def writer(self) -> SqliteCheckpointWriter:
        """Open the checkpoint for writing."""
        return SqliteCheckpointWriter(self._unfinished / "data.db", deployment_id=self._deployment_id)

    def reader(self) -> SqliteCheckpointReader:
        """Open the checkpoint for reading."""
        return SqliteCheckpointReader(self._unfinished / "data.db")

    def finish(self) -> None:
        """Put the files in their place: `log.db` first, since a folder with `data.db` alone is refused, and so is this one."""
        self.log.recover()
        self.log.close()
        writer = self.writer()
        writer.recover()
        writer.close()
        for name in ("data.db", "log.db"):
            (self._unfinished / name).replace(self._folder / name)
        sync_folder(self._folder)
        moved.forget(self._folder)
        sync_folder(self._folder)

    def close(self) -> None:
        """Remove what is unfinished, and give up the lock."""
        self.log.close()
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._lock.release()
