"""Log and checkpoint in two SQLite files in a folder."""

from convexpy.persistence.sqlite.checkpoint import SqliteCheckpointWriter as SqliteCheckpointWriter
from convexpy.persistence.sqlite.folder import (
    DataFolder as DataFolder,
    open_checkpoint_reader as open_checkpoint_reader,
    open_checkpoint_writer as open_checkpoint_writer,
)
from convexpy.persistence.sqlite.log import SqliteLogStore as SqliteLogStore
from convexpy.persistence.sqlite.reader import SqliteCheckpointReader as SqliteCheckpointReader
