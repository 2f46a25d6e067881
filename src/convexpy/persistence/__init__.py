"""The durable layer: a log of commit groups and a checkpoint of it, behind one interface for every database engine.

Engines: SQLite (`sqlite`) and this process's memory (`memory`). What one has to promise is in `interface`, and in the tests
that run over all of them (`tests/conformance/test_persistence.py`).
"""

from pathlib import Path

from convexpy.persistence.interface import (
    CheckpointBatch as CheckpointBatch,
    CheckpointReader as CheckpointReader,
    CheckpointWriter as CheckpointWriter,
    Compaction as Compaction,
    DataDamaged as DataDamaged,
    DataStore as DataStore,
    DocumentChange as DocumentChange,
    KeyChange as KeyChange,
    LogRow as LogRow,
    LogStore as LogStore,
    OutcomeUnknown as OutcomeUnknown,
    ReplayRecord as ReplayRecord,
    StoreFull as StoreFull,
    StoreRefused as StoreRefused,
    WalkedDocument as WalkedDocument,
)
from convexpy.persistence.memory import MemoryFiles as MemoryFiles
from convexpy.persistence.sqlite.folder import DataFolder, open_checkpoint_reader
from convexpy.persistence.sqlite.refusals import (
    DISK_FULL as DISK_FULL,
    disk_refusal as disk_refusal,
    refusing as refusing,
    storage_refusal as storage_refusal,
)


def open_store(folder: Path, *, allow_network_file_system: bool = False) -> DataStore:
    """Open the store of a deployment as its one owner.

    Raises:
        StoreRefused: it is in use, on a network file system, of a newer format, or of another deployment.
        DataDamaged: it is not what was written.
    """
    return DataFolder(folder, allow_network_file_system=allow_network_file_system)


def open_reader(address: str) -> CheckpointReader:
    """Open the checkpoint of a store for reading, in any process; its owner must have opened it before."""
    return open_checkpoint_reader(Path(address))
