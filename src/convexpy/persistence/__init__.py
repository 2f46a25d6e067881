"""The durable layer: a log of commit groups and a checkpoint of it, in SQLite or in memory."""

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
from convexpy.persistence.sqlite import SqliteLogStore
from convexpy.persistence.sqlite_checkpoint import SqliteCheckpointReader, SqliteCheckpointWriter

__all__ = [
    "CheckpointBatch",
    "CheckpointReader",
    "CheckpointWriter",
    "DataFolder",
    "DocumentChange",
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
    "open_checkpoint_reader",
    "open_checkpoint_writer",
]
