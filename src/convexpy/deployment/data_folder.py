"""Where a deployment keeps its data: a folder with database files and stored files, or for tests a database in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from convexpy.database import Checkpointer, Recovered, Store, recover
from convexpy.deployment.start_state import StartState, read_start_state
from convexpy.persistence import (
    CheckpointReader,
    DatabaseOption,
    DataStore,
    LogStore,
    MemoryFiles,
    Node,
    open_store,
    refusing,
)
from convexpy.runtime import Clock
from convexpy.services.files.blobs import BlobStore, open_blob_store


class Storage:
    """An opened, recovered data store, owned by one deployment. `folder` also holds what is not in the database.

    Raises:
        StoreRefused: log and checkpoint do not fit.
    """

    def __init__(self, store: DataStore, *, blobs: BlobStore, folder: Path, clock: Clock) -> None:
        self.blobs = blobs
        self.folder = folder
        self.in_memory: bool = not store.address
        self.address: str = store.address
        self.deployment_id: str = store.deployment_id
        self.log: LogStore = store.log
        self.watch: Callable[[Callable[[BaseException], None]], None] = store.watch
        self.nodes: Callable[[], list[Node]] = store.nodes
        self._store = store
        try:
            with refusing(folder):
                writer, reader = store.writer(), store.reader()
                self.recovered: Recovered = recover(store.log, writer, clock=clock)
                present = Store(reader, clock=clock)
                for row in self.recovered.rows:
                    present.row(row.seq, row.ts, row.entry)
                self.start_state: StartState = read_start_state(present)
                present.idle()
                reader.close()
                writer.close()
            store.check_in_background()
        except BaseException:
            store.close()
            raise

    def checkpointer(self) -> Checkpointer:
        """Return the one writer of the checkpoint, at the last checkpoint, with the tail."""
        checkpointer = Checkpointer(self._store.writer())
        for row in self.recovered.rows:
            checkpointer.row(row.seq, row.ts, row.entry)
        return checkpointer

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading, in this process."""
        return self._store.reader()

    @contextmanager
    def reading(self) -> Generator[CheckpointReader]:
        """Read the checkpoint as it is now."""
        reader = self.reader()
        try:
            reader.begin()
            yield reader
        finally:
            reader.end()
            reader.close()

    def close(self) -> None:
        """Release everything."""
        self._store.close()


def open_folder(
    folder: Path,
    clock: Clock,
    *,
    database: DatabaseOption | None = None,
    store: DataStore | None = None,
    allow_network_file_system: bool = False,
    blobs: BlobStore | None = None,
) -> Storage:
    """Open a data folder on disk, with its data in it, in a database, or in a `store` that is open already.

    Raises:
        StoreRefused: folder or database is in use, of a newer format, or cannot be used; the files do not fit.
    """
    store = store or open_store(
        folder, database=database, allow_network_file_system=allow_network_file_system
    )
    return Storage(store, blobs=blobs or open_blob_store(None, folder), folder=folder, clock=clock)


class MemoryStorage(Storage):
    """A database in memory; a temporary folder holds the app's modules and stored files."""

    def __init__(self, clock: Clock) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="convexpy-")
        folder = Path(self._temporary.name)
        super().__init__(MemoryFiles(), blobs=open_blob_store(None, folder), folder=folder, clock=clock)

    def close(self) -> None:
        """Forget everything."""
        super().close()
        self._temporary.cleanup()
