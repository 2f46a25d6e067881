"""The durable layer: a log of commit groups and a checkpoint of it, in SQLite or in memory."""

from convexpy.persistence._checksums import DataDamaged
from convexpy.persistence._lock import FolderLock
from convexpy.persistence.folder import DataFolder, open_checkpoint_reader, open_checkpoint_writer
from convexpy.persistence.interface import (
    CheckpointBatch,
    CheckpointReader,
    CheckpointWriter,
    DocumentChange,
    KeyChange,
    LogRow,
    LogStore,
    OutcomeUnknown,
    ReplayRecord,
    StoreFull,
    StoreRefused,
    WalkedDocument,
)
from convexpy.persistence.memory import MemoryFiles
from convexpy.persistence.refusals import DISK_FULL, disk_refusal, refusing, sqlite_refusal
from convexpy.persistence.sqlite import SqliteLogStore
from convexpy.persistence.sqlite_checkpoint import SqliteCheckpointWriter
from convexpy.persistence.sqlite_checkpoint_reader import SqliteCheckpointReader

__all__ = [
    "DISK_FULL",
    "CheckpointBatch",
    "CheckpointReader",
    "CheckpointWriter",
    "DataDamaged",
    "DataFolder",
    "DocumentChange",
    "FolderLock",
    "KeyChange",
    "LogRow",
    "LogStore",
    "MemoryFiles",
    "OutcomeUnknown",
    "ReplayRecord",
    "SqliteCheckpointReader",
    "SqliteCheckpointWriter",
    "SqliteLogStore",
    "StoreFull",
    "StoreRefused",
    "WalkedDocument",
    "disk_refusal",
    "open_checkpoint_reader",
    "open_checkpoint_writer",
    "refusing",
    "sqlite_refusal",
]
