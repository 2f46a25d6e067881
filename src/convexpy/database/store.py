"""One process's view of the data: the checkpoint, and over it what was written since.

Stream order is the snapshot: a call runs at the last row before it in its stream, so a store keeps one
version, not many. Rows come as bytes and are decoded when the next transaction begins; what a checkpoint
has covered by then never is.

Invariant:  the memory layer holds every change after the checkpoint that the reader sees. Older ones do no
harm: they say what the checkpoint says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from convexpy.database._blocks import Blocks
from convexpy.database._cursors import CursorCipher
from convexpy.database._entries import TransactionRecord, WriteSet, decode_entry
from convexpy.database._first_keys import UNKNOWN, FirstKeys
from convexpy.database._memory import Change, FoundDocument, MemoryLayer
from convexpy.database._snapshot import ALL, Item
from convexpy.database._system_tables import INDEX, TABLES
from convexpy.database.catalog import Catalog
from convexpy.database.transaction import Transaction
from convexpy.errors import InvariantViolation
from convexpy.limits import TransactionBudget
from convexpy.persistence import CheckpointReader, LogRow, ReplayRecord
from convexpy.runtime import Clock, RandomBytes
from convexpy.values import decode_document, prefix_successor

Written = Callable[[str], FoundDocument | None]
"""Looks up the documents of a tablet in memory by id."""


class Store:
    """The data as one executor, or the server, sees it. Not for several threads.

    `cursor_key` (64 bytes) encrypts the cursors of paginated queries: the same in every process of a deployment. Without
    one, cursors are good for this store only.
    """

    def __init__(self, reader: CheckpointReader, *, clock: Clock, cursor_key: bytes = b"") -> None:
        self.clock = clock
        self.cursors: CursorCipher = CursorCipher(cursor_key)
        self.seq: int = 0
        self.ts: int = 0
        self.last_creation_time: float = 0.0
        self._reader = reader
        self._blocks = None if reader.is_local else Blocks(reader)
        self._below = reader if self._blocks is None else self._blocks
        self._first_keys = FirstKeys()
        self._memory = MemoryLayer(on_key=self._first_keys.changed, on_drop=self._dropped)
        self._waiting: deque[LogRow] = deque()
        self._waiting_bytes = 0
        self._is_reading = False
        self._catalog: Catalog | None = None
        self._durable_catalog: Catalog | None = None

    # The stream

    def row(self, seq: int, ts: int, entry: bytes) -> None:
        """Take a durable row that someone else made; it is decoded when it is needed."""
        if self._memory.speculative:
            raise InvariantViolation(
                "a row of another process arrived while calls of this one were not durable"
            )
        self.seq, self.ts = seq, ts
        self._waiting.append(LogRow(seq, ts, entry))
        self._waiting_bytes += len(entry)

    def accept(self, call_id: int, write_set: WriteSet) -> None:
        """Lay a finished call over the state, not durable yet: transactions begun from now on see it."""
        self._open()  # the catalog of what is durable is to be known before
        self._apply(Change(None, None, call_id=call_id), (write_set.record,))
        self.raise_creation_time(write_set.max_creation_time)

    def own_commit(self, seq: int, ts: int, last_call_id: int) -> None:
        """The accepted calls up to `last_call_id` are now row `seq`."""
        self.seq, self.ts = seq, ts
        last = self._memory.promote(seq, ts, last_call_id)
        if last is not None:
            self._durable_catalog = last.catalog

    def drop_speculation(self) -> None:
        """Go back to the last durable row."""
        self._memory.take_back()
        self._first_keys.clear()
        self._catalog = self._durable_catalog

    def checkpoint(self, seq: int) -> None:
        """The checkpoint has reached `seq`: read from it, and only then let go of what it covers."""
        if self._is_reading:
            covered = self._reader.renew()
            self._now_at(covered)
            if covered < seq:
                raise InvariantViolation(f"told of a checkpoint at {seq}, but it is at {covered}")
        self._memory.checkpointed(seq)
        while self._waiting and self._waiting[0].seq <= seq:
            self._waiting_bytes -= len(self._waiting.popleft().entry)
            # What was not read may have changed anything, tables and indexes too: learn it from the checkpoint.
            self._catalog = self._durable_catalog = None
            self._memory.clear()
            self._first_keys.clear()
            self._forget_blocks()

    def idle(self) -> None:
        """Close the read transaction, so that it does not keep the write-ahead log from being folded."""
        if self._is_reading:
            self._reader.end()
            self._is_reading = False

    def raise_creation_time(self, time: float) -> None:
        """Give documents that are inserted from now on later times than this one."""
        self.last_creation_time = max(self.last_creation_time, time)

    @property
    def memory_bytes(self) -> int:
        """About how much is held in memory."""
        blocks = 0 if self._blocks is None else self._blocks.size_bytes
        return self._memory.size_bytes + self._waiting_bytes + self._first_keys.size_bytes + blocks

    # Reading

    @property
    def catalog(self) -> Catalog:
        """The tables and indexes, speculation included."""
        self._open()
        assert self._catalog is not None  # _open has loaded it
        return self._catalog

    def begin(
        self, *, writable: bool, now_ms: float, budget: TransactionBudget, random: RandomBytes
    ) -> Transaction:
        """Start a transaction on the newest state. It must end before the stream goes on."""
        return Transaction(self, writable, now_ms, budget, random)

    def get(self, tablet: int, id: str) -> FoundDocument:
        """Return a document and its keys; see `FoundDocument`."""
        found = self._memory.document(tablet, id)
        return found if found is not None else self._memory.keep(tablet, id, self._below.get(tablet, id))

    def first(self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool) -> Item | None:
        """Return the first document of an index range, or None."""
        is_prefix, prefix = index > 0 and upper == prefix_successor(lower), lower
        if is_prefix:
            first = self._first_keys.get(index, prefix, desc)
            if first is None:
                return None
            key, id = first
            if id:
                document, _ = self.get(tablet, id)
                if document is None:
                    raise InvariantViolation(f"an index names the document {id}, which is not there")
                return (key, id, document)
            if first is not UNKNOWN:
                lower, upper = (lower, key) if desc else (key, upper)
        items, rest = self.chunk(index, tablet, lower, upper, desc=desc, limit=1)
        while not items and rest is not None:
            # What the checkpoint has first was removed since.
            left, right = (lower, rest) if desc else (rest, upper)
            items, rest = self.chunk(index, tablet, left, right, desc=desc, limit=16)
        item = items[0] if items else None
        if is_prefix:
            self._first_keys.keep(index, prefix, desc, item and (item[0], item[1]))
            if item is not None and self._memory.document(tablet, item[1]) is None:
                # It is asked for again by its key, and perhaps written.
                self._memory.keep(tablet, item[1], item[2])
        return item

    def chunk(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> tuple[list[Item], bytes | None]:
        """Return the first documents of an index range, about `limit`, and where the rest of it begins.

        The rest is `[rest, upper)`, with `desc` `[lower, rest)`; None when nothing is left. `-tablet` is
        `by_id`.
        """
        if index < 0:
            below = self._below.ids(tablet, lower, upper, desc=desc, limit=limit)
        else:
            below = self._below.range(index, tablet, lower, upper, desc=desc, limit=limit)
        rest = None
        if len(below) >= limit:
            last = below[-1][0]
            rest = last if desc else last + b"\0"
        written = self._memory.over(tablet)
        if written is None:
            return below, rest
        if rest is not None:
            lower, upper = (rest, upper) if desc else (lower, rest)
        over, cut = self._over(index, tablet, written, lower, upper, desc=desc, limit=limit)
        if not over:
            return [_newest(item, written) for item in below], rest
        return self._merged(below, over, written, cut, desc=desc), rest if cut is None else cut

    def _over(
        self,
        index: int,
        tablet: int,
        written: Written,
        lower: bytes,
        upper: bytes,
        *,
        desc: bool,
        limit: int,
    ) -> tuple[dict[bytes, str | None], bytes | None]:
        """Return the memory layer's keys in a range.

        No more than `limit` live ones, then also where it was cut.
        """
        if index < 0:
            return self._over_by_id(tablet, written, lower, upper), None
        found: dict[bytes, str | None] = {}
        live = 0
        for key, id in self._memory.keys(index, lower, upper, desc=desc):
            found[key] = id
            if id is not None:
                live += 1
                if live > limit:
                    return found, key if desc else key + b"\0"
        return found, None

    def _over_by_id(
        self, tablet: int, written: Written, lower: bytes, upper: bytes
    ) -> dict[bytes, str | None]:
        found: dict[bytes, str | None] = {}
        order = self._memory.ids(tablet)
        start, end = (bisect_left(order, bound, key=str.encode) for bound in (lower, upper))
        for id in order[start:end]:
            document = written(id)
            found[id.encode()] = id if document is not None and document[0] is not None else None
        return found

    @staticmethod
    def _merged(
        below: list[Item],
        over: dict[bytes, str | None],
        written: Written,
        cut: bytes | None,
        *,
        desc: bool,
    ) -> list[Item]:
        """Lay keys over a chunk, up to where the keys were cut, and documents over both."""
        merged = {item[0]: item for item in below}
        for key, id in over.items():
            if id is None:
                merged.pop(key, None)
            else:
                merged[key] = (key, id, b"")
        items: list[Item] = []
        for key in sorted(merged, reverse=desc):
            if cut is not None and (key < cut if desc else key >= cut):
                break
            items.append(_newest(merged[key], written))
        return items

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's request answered before; its `seq` is None while that is not durable."""
        self._open()
        found = self._memory.replay(session, request)
        if found is not None:
            return ReplayRecord(session, request, found[0].seq, found[0].ts, found[1])
        return self._below.replay(session, request)

    def all_documents(self, tablet: int) -> list[bytes]:
        """Return every document of a tablet, by id."""
        found: list[bytes] = []
        lower: bytes | None = b""
        while lower is not None:
            items, lower = self.chunk(-tablet, tablet, lower, ALL, desc=False, limit=256)
            found += [document for _, _, document in items]
        return found

    # Steps

    def _open(self) -> None:
        """Open the read transaction and bring memory and catalog up to the last row of the stream."""
        if not self._is_reading:
            covered = self._reader.begin()
            self._now_at(covered)
            self._memory.checkpointed(covered)
            self._is_reading = True
        self._decode_waiting()
        if self._catalog is None:
            self._load_catalog()

    def _load_catalog(self) -> None:
        if self._memory.speculative:
            raise InvariantViolation("the catalog was lost while calls were not durable")
        self.raise_creation_time(float(self._reader.meta("max_creation_time") or 0.0))
        catalog = Catalog.load(self.all_documents(TABLES), self.all_documents(INDEX))
        self._catalog = self._durable_catalog = catalog

    def _decode_waiting(self) -> None:
        while self._waiting:
            seq, ts, entry = self._waiting.popleft()
            self._waiting_bytes -= len(entry)
            decoded = decode_entry(entry)
            self._apply(Change(seq, ts), decoded.transactions)
            self._durable_catalog = self._catalog
            self.raise_creation_time(decoded.max_creation_time)

    def _apply(self, change: Change, transactions: Sequence[TransactionRecord]) -> None:
        self._memory.begin(change)
        for transaction in transactions:
            self._memory.apply(change, transaction.writes, transaction.replay)
            if self._catalog is not None:
                self._learn(transaction.writes)
        change.catalog = self._catalog

    def _now_at(self, seq: int) -> None:
        """Note the row that the reader is at."""
        if self._blocks is not None:
            self._blocks.seq = seq

    def _dropped(self, seq: int) -> None:
        """Changes up to a row are not in memory any more."""
        if self._blocks is not None:
            self._blocks.forget_before(seq)

    def _forget_blocks(self) -> None:
        if self._blocks is not None:
            self._blocks.clear()

    def _learn(self, writes: Any) -> None:
        assert self._catalog is not None  # checked by the caller
        for write in writes:
            if write.tablet <= INDEX:
                self._forget_blocks()  # of an index that is being built, or a table that was filled, keys were not told
                document = decode_document(write.document) if write.document is not None else None
                self._catalog = self._catalog.with_document(write.tablet, write.id, document)


def _newest(item: Item, written: Written) -> Item:
    """Return an index entry with the document that the memory layer has for it, if it has one."""
    found = written(item[1])
    document = item[2] if found is None else found[0]
    if not document:
        raise InvariantViolation(f"an index names the document {item[1]}, which is not there")
    return (item[0], item[1], document)
