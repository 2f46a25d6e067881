"""One process's view of the data, transactions on it, and the way of their writes to log and checkpoint."""

from convexpy.database._cursors import InvalidCursor as InvalidCursor
from convexpy.database._ended import CallEnded as CallEnded, end_transaction as end_transaction
from convexpy.database._entries import (
    WHOLE_INDEX as WHOLE_INDEX,
    Entry as Entry,
    Replay as Replay,
    TransactionRecord as TransactionRecord,
    Write as Write,
    WriteSet as WriteSet,
    creation_time as creation_time,
    decode_entry as decode_entry,
    encode_entry as encode_entry,
    written_keys as written_keys,
)
from convexpy.database._history import (
    DEFINING_TABLETS as DEFINING_TABLETS,
    HistoryLost as HistoryLost,
    Rewind as Rewind,
    Undone as Undone,
    decode_rewind as decode_rewind,
)
from convexpy.database._snapshot import DocumentSchema as DocumentSchema
from convexpy.database._system_tables import system_index as system_index
from convexpy.database._tables import (
    check_table_name as check_table_name,
    new_index_document as new_index_document,
    new_table_documents as new_table_documents,
)
from convexpy.database.catalog import Catalog as Catalog, IndexInfo as IndexInfo, TableInfo as TableInfo
from convexpy.database.checkpointer import (
    Checkpointer as Checkpointer,
    Growth as Growth,
    IndexWalk as IndexWalk,
)
from convexpy.database.committer import (
    CommitOutcomes as CommitOutcomes,
    Group as Group,
    GroupCommitter as GroupCommitter,
)
from convexpy.database.read_set import ReadSet as ReadSet
from convexpy.database.read_set_index import ReadSetIndex as ReadSetIndex
from convexpy.database.recovery import Recovered as Recovered, recover as recover
from convexpy.database.store import Store as Store
from convexpy.database.transaction import SchemaMismatch as SchemaMismatch, Transaction as Transaction
