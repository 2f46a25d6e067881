"""The one writer of the checkpoint: folds rows of the log into it, builds indexes, removes what was dropped.

Rows arrive in order. A checkpoint folds rows to the last write per document and key, sorts, and applies them in one
transaction: the files always equal one moment. Rows that write many documents are folded in several steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convexpy.database._entries import Entry, Write, creation_time, decode_entry
from convexpy.database._system_tables import INDEX, TABLES
from convexpy.database.catalog import Catalog, IndexInfo, TableInfo
from convexpy.errors import Error, InvariantViolation
from convexpy.persistence import (
    CheckpointBatch,
    CheckpointWriter,
    Compaction,
    DocumentChange,
    KeyChange,
    LogRow,
    ReplayRecord,
)
from convexpy.runtime import pauses
from convexpy.values import decode_document

WALK_CHUNK = 256
FOLD_ENTRIES_MAX = 30_000
"""Documents, keys and replay records of one step, which are in memory as objects: about 15 MiB."""
DROP_SLICE = 2_000
REPLAY_SLICE = 1_000
VIOLATIONS_KEPT = 10


@dataclass(frozen=True)
class Growth:
    """By how many documents and bytes each tablet has grown since the checkpointer was opened, as of a row."""

    seq: int
    tablets: Mapping[int, tuple[int, int]]


@dataclass(slots=True)
class _Fold:
    """The last write per document and key of a run of rows."""

    documents: dict[tuple[int, str], bytes | None] = field(default_factory=dict)
    keys: dict[tuple[int, bytes], tuple[int, str | None]] = field(default_factory=dict)
    replay: dict[tuple[str, int], ReplayRecord] = field(default_factory=dict)
    catalog_writes: list[Write] = field(default_factory=list)
    growth: dict[int, tuple[int, int]] = field(default_factory=dict)
    max_creation_time: float = 0.0

    def add(self, row: LogRow, entry: Entry) -> None:
        self.max_creation_time = max(self.max_creation_time, entry.max_creation_time)
        for transaction in entry.transactions:
            for write in transaction.writes:
                self._add_write(write)
            replay = transaction.replay
            if replay is not None:
                record = ReplayRecord(replay.session, replay.request, row.seq, row.ts, replay.result)
                self.replay[replay.session, replay.request] = record

    def _add_write(self, write: Write) -> None:
        self.documents[write.tablet, write.id] = write.document
        count, size = self.growth.get(write.tablet, (0, 0))
        count += (write.document is not None) - (write.before is not None)
        size += len(write.document or b"") - len(write.before or b"")
        self.growth[write.tablet] = count, size
        for index, old, new in write.keys:
            if old == new:
                continue
            if old is not None:
                self.keys[index, old] = (write.tablet, None)
            if new is not None:
                self.keys[index, new] = (write.tablet, write.id)
        if write.tablet <= INDEX:
            self.catalog_writes.append(write)

    @property
    def is_full(self) -> bool:
        """Whether it takes as much memory as it may."""
        return len(self.documents) + len(self.keys) + len(self.replay) >= FOLD_ENTRIES_MAX

    def batch(self, seq: int, *, now_ms: int, tables: dict[str, int] | None) -> CheckpointBatch:
        documents = [
            DocumentChange(tablet, id, creation_time(document) if document is not None else 0.0, document)
            for (tablet, id), document in sorted(self.documents.items(), key=_by_place)
        ]
        keys = [KeyChange(index, key, *self.keys[index, key]) for index, key in sorted(self.keys)]
        replay = list(self.replay.values())
        return CheckpointBatch(seq, documents, keys, replay, now_ms, self.max_creation_time, tables)


def _grown(before: Growth, seq: int, fold: _Fold) -> Growth:
    tablets = dict(before.tablets)
    for tablet, (count, size) in fold.growth.items():
        known = tablets.get(tablet, (0, 0))
        tablets[tablet] = known[0] + count, known[1] + size
    return Growth(seq, tablets)


def _by_place(item: tuple[tuple[int, str], bytes | None]) -> tuple[int, str]:
    return item[0]


class Checkpointer:
    """Holds the rows after the checkpoint as bytes and moves it forward.

    Owns its writer; not for several threads.
    """

    def __init__(self, writer: CheckpointWriter) -> None:
        self._writer = writer
        self._rows: deque[LogRow] = deque()
        self.checkpoint_seq: int = writer.checkpoint_seq
        self.catalog: Catalog = Catalog.load(self._all(TABLES), self._all(INDEX))
        self.growth: Growth = Growth(self.checkpoint_seq, {})
        """Replaced as a whole by each step, so that other threads see one moment."""
        self._named: dict[str, int] | None = None

    def _all(self, tablet: int) -> Iterator[bytes]:
        after = 0
        while chunk := self._writer.walk(tablet, after, WALK_CHUNK):
            yield from (walked.document for walked in chunk)
            after = chunk[-1].n

    def row(self, seq: int, ts: int, entry: bytes) -> None:
        """Take the next durable row; those that the checkpoint holds already are ignored."""
        if seq <= self.checkpoint_seq:
            return
        last = self._rows[-1].seq if self._rows else self.checkpoint_seq
        if seq != last + 1:
            raise InvariantViolation(f"row {seq} follows row {last} in the checkpointer's stream")
        self._rows.append(LogRow(seq, ts, entry))

    def run(self, target: int, *, now_ms: int = 0) -> None:
        """Move the checkpoint to row `target`.

        `now_ms` is the wall clock, kept with replay records so that they can be dropped by age.

        Raises:
            StoreFull: no space; the checkpoint is where `checkpoint_seq` says.
            OutcomeUnknown: the file failed; start again from `checkpoint_seq`.
        """
        if target <= self.checkpoint_seq:
            self._writer.compact()
            return
        if not self._rows or target > self._rows[-1].seq:
            raise InvariantViolation(f"the checkpoint's target {target} has not arrived")
        while self.checkpoint_seq < target:
            self._step(target, now_ms)
        pauses.reach("checkpoint.before_compact")
        self._writer.compact()

    def _step(self, target: int, now_ms: int) -> None:
        """Move the checkpoint towards a row. What moves it and the number it has are one transaction."""
        fold, seq = _Fold(), self.checkpoint_seq
        for row in self._rows:
            if row.seq > target or fold.is_full:
                break
            fold.add(row, decode_entry(row.entry))
            seq = row.seq
        catalog = self._learn(fold)
        names = {table.name: table.tablet for table in catalog.by_name.values()}
        changed = names if names != self._named else None
        self._writer.apply(fold.batch(seq, now_ms=now_ms, tables=changed))
        self._named, self.catalog, self.checkpoint_seq = names, catalog, seq
        self.growth = _grown(self.growth, seq, fold)
        while self._rows and self._rows[0].seq <= seq:
            self._rows.popleft()

    def _learn(self, fold: _Fold) -> Catalog:
        catalog = self.catalog
        for write in fold.catalog_writes:
            document = decode_document(write.document) if write.document is not None else None
            catalog = catalog.with_document(write.tablet, write.id, document)
        return catalog

    def compact(self) -> Compaction:
        """Reclaim the space that moving the checkpoint has left behind, as far as readers allow."""
        return self._writer.compact()

    @property
    def waiting_rows(self) -> int:
        """How many rows are not in the checkpoint yet."""
        return len(self._rows)

    def walk(
        self,
        tablet: int,
        indexes: Sequence[int],
        *,
        since: int,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> IndexWalk:
        """Begin to build indexes of a tablet, and to check its documents.

        `since` is the row that made the indexes known to writers (P of a push): a walk from an older
        checkpoint would miss what was written between. `check` raises an `Error` for a document that does
        not fit.

        Raises:
            InvariantViolation: the checkpoint is older, or the indexes are not of that tablet.
        """
        if self.checkpoint_seq < since:
            raise InvariantViolation(f"a walk needs a checkpoint at {since}, it is at {self.checkpoint_seq}")
        table = self.catalog.by_tablet.get(tablet)
        found = [index for index in table.indexes if index.number in indexes] if table is not None else []
        if table is None or len(found) != len(indexes):
            raise InvariantViolation(f"tablet {tablet} does not have all of the indexes {list(indexes)}")
        return IndexWalk(self._writer, table, found, check)

    def drop_slice(self, limit: int = DROP_SLICE) -> bool:
        """Remove a slice of a tablet or index that the catalog no longer names.

        True when nothing is left to remove.
        """
        named_tablets, named_indexes = self.catalog.stored_numbers()
        tablets, indexes = self._writer.stored()
        for index in sorted(indexes - named_indexes):
            self._writer.drop_index(index, limit)
            return False
        for tablet in sorted(tablets - named_tablets):
            self._writer.drop_tablet(tablet, limit)
            return False
        return True

    def age_replay(self, before_ms: int) -> bool:
        """Remove some replay records applied before that wall-clock time; True when none is left."""
        return self._writer.trim_replay(before_ms, REPLAY_SLICE) < REPLAY_SLICE

    def close(self) -> None:
        """Close the writer."""
        self._writer.close()


class IndexWalk:
    """Goes through a tablet's documents in chunks, so that checkpoints can happen between.

    A document is met here, or its keys come with a later checkpoint, or both, and then they agree. Readers see what was
    entered when they next renew: after the last step they must be told "checkpoint C" again, even of the same C, before the
    index may become ready.
    """

    def __init__(
        self,
        writer: CheckpointWriter,
        table: TableInfo,
        indexes: Sequence[IndexInfo],
        check: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self._writer = writer
        self._table = table
        self._indexes = indexes
        self._check = check
        self._after = 0
        self.walked: int = 0
        self.violations: list[tuple[str, str]] = []
        """`(id, what does not fit)` of the first documents that failed the check."""
        self.violation_count: int = 0

    def step(self, limit: int = WALK_CHUNK) -> bool:
        """Walk the next chunk; True when the end was reached."""
        chunk = self._writer.walk(self._table.tablet, self._after, limit)
        keys: dict[int, list[tuple[bytes, int]]] = {index.number: [] for index in self._indexes}
        for n, id, stored in chunk:
            document = decode_document(stored)
            self._test(id, document)
            suffix = self._table.key_suffix(document)
            for index in self._indexes:
                keys[index.number].append((index.key(document, suffix), n))
        pauses.reach("walk.before_enter")
        for number, entries in keys.items():
            self._writer.enter_keys(number, self._table.tablet, entries)
        if chunk:
            self._after = chunk[-1].n
            self.walked += len(chunk)
        return len(chunk) < limit

    def _test(self, id: str, document: dict[str, Any]) -> None:
        if self._check is None:
            return
        try:
            self._check(document)
        except Error as error:
            self.violation_count += 1
            if len(self.violations) < VIOLATIONS_KEPT:
                self.violations.append((id, error.message))
