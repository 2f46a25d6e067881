"""Where a deployment keeps its data: a folder with SQLite files, or memory for tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Protocol

from convexpy.database import Checkpointer, Recovered, Store, recover
from convexpy.deployment.start_state import StartState, read_start_state
from convexpy.persistence import (
    CheckpointReader,
    CheckpointWriter,
    DataFolder,
    LogStore,
    MemoryFiles,
    open_checkpoint_reader,
    open_checkpoint_writer,
    refusing,
)
from convexpy.runtime import Clock
from convexpy.services.files.blobs import BlobStore, MemoryBlobStore, open_blob_store


class Storage(Protocol):
    """An opened, recovered data store, owned by one deployment."""

    folder: Path
    in_memory: bool
    deployment_id: str
    log: LogStore
    blobs: BlobStore
    recovered: Recovered
    start_state: StartState

    def checkpointer(self) -> Checkpointer:
        """Return the one writer of the checkpoint, at the last checkpoint, with the tail."""
        ...

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading, in this process."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def _prepare(
    log: LogStore, writer: CheckpointWriter, reader: CheckpointReader, clock: Clock
) -> tuple[Recovered, StartState]:
    recovered = recover(log, writer, clock=clock)
    store = Store(reader, clock=clock)
    for row in recovered.rows:
        store.row(row.seq, row.ts, row.entry)
    state = read_start_state(store)
    store.idle()
    return recovered, state


class FolderStorage:
    """A data folder on disk.

    Raises:
        StoreRefused: the folder is in use, on a network file system, of a newer format, or its files do not fit.
    """

    in_memory = False

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        allow_network_file_system: bool = False,
        blobs: BlobStore | None = None,
    ) -> None:
        self.folder = folder
        self.blobs: BlobStore = blobs or open_blob_store(None, folder)
        self._data = DataFolder(folder, allow_network_file_system=allow_network_file_system)
        self.deployment_id = self._data.deployment_id
        self.log: LogStore = self._data.log
        try:
            with refusing(folder):
                reader = open_checkpoint_reader(folder)
                self.recovered, self.start_state = _prepare(
                    self._data.log, self._data.checkpoint, reader, clock
                )
                reader.close()
                self._data.release_checkpoint()
            self._data.check_large_files()
        except BaseException:
            self._data.close()
            raise

    def checkpointer(self) -> Checkpointer:
        """Return the one writer of the checkpoint, at the last checkpoint, with the tail."""
        checkpointer = Checkpointer(
            open_checkpoint_writer(self.folder, deployment_id=self._data.deployment_id)
        )
        for row in self.recovered.rows:
            checkpointer.row(row.seq, row.ts, row.entry)
        return checkpointer

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading."""
        return open_checkpoint_reader(self.folder)

    def close(self) -> None:
        """Release files and lock."""
        self._data.close()


class MemoryStorage:
    """Everything in memory; a temporary folder holds only the app's modules."""

    in_memory = True

    def __init__(self, clock: Clock) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="convexpy-")
        self.folder = Path(self._temporary.name)
        self.blobs: BlobStore = MemoryBlobStore(self.folder / "spool", clock)
        self._files = MemoryFiles()
        self.deployment_id = self._files.deployment_id
        self.log: LogStore = self._files.log()
        self.recovered, self.start_state = _prepare(
            self.log, self._files.writer(), self._files.reader(), clock
        )

    def checkpointer(self) -> Checkpointer:
        """Return the one writer of the checkpoint, with the tail."""
        checkpointer = Checkpointer(self._files.writer())
        for row in self.recovered.rows:
            checkpointer.row(row.seq, row.ts, row.entry)
        return checkpointer

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading."""
        return self._files.reader()

    def close(self) -> None:
        """Forget everything."""
        self._temporary.cleanup()
