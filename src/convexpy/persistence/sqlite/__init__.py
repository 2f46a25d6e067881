"""Log and checkpoint in two SQLite files in a folder."""

from convexpy.persistence.sqlite._lock import FolderLock
from convexpy.persistence.sqlite.checkpoint import SqliteCheckpointWriter
from convexpy.persistence.sqlite.folder import DataFolder, open_checkpoint_reader, open_checkpoint_writer
from convexpy.persistence.sqlite.log import SqliteLogStore
from convexpy.persistence.sqlite.reader import SqliteCheckpointReader

__all__ = [
    "DataFolder",
    "FolderLock",
    "SqliteCheckpointReader",
    "SqliteCheckpointWriter",
    "SqliteLogStore",
    "open_checkpoint_reader",
    "open_checkpoint_writer",
]
