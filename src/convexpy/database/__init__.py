"""One process's view of the data, transactions on it, and the way of their writes to log and checkpoint."""

from convexpy.database._cursors import InvalidCursor
from convexpy.database._ended import CallEnded, end_transaction
from convexpy.database._entries import (
    WHOLE_INDEX,
    Entry,
    Replay,
    TransactionRecord,
    Write,
    WriteSet,
    decode_entry,
    encode_entry,
    written_keys,
)
from convexpy.database._history import HistoryLost, Rewind, Undone, decode_rewind
from convexpy.database._system_tables import system_index
from convexpy.database._tables import check_table_name, new_index_document, new_table_documents
from convexpy.database.catalog import Catalog, IndexInfo, TableInfo
from convexpy.database.checkpointer import Checkpointer, IndexWalk
from convexpy.database.committer import CommitOutcomes, Group, GroupCommitter
from convexpy.database.read_set import ReadSet
from convexpy.database.read_set_index import ReadSetIndex
from convexpy.database.recovery import Recovered, recover
from convexpy.database.store import Store
from convexpy.database.transaction import DocumentSchema, SchemaMismatch, Transaction

__all__ = [
    "WHOLE_INDEX",
    "CallEnded",
    "Catalog",
    "Checkpointer",
    "CommitOutcomes",
    "DocumentSchema",
    "Entry",
    "Group",
    "GroupCommitter",
    "HistoryLost",
    "IndexInfo",
    "IndexWalk",
    "InvalidCursor",
    "ReadSet",
    "ReadSetIndex",
    "Recovered",
    "Replay",
    "Rewind",
    "SchemaMismatch",
    "Store",
    "TableInfo",
    "Transaction",
    "TransactionRecord",
    "Undone",
    "Write",
    "WriteSet",
    "check_table_name",
    "decode_entry",
    "decode_rewind",
    "encode_entry",
    "end_transaction",
    "new_index_document",
    "new_table_documents",
    "recover",
    "system_index",
    "written_keys",
]
