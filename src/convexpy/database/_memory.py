"""The memory layer of a store: what was written since the checkpoint, durable (the tail) or speculative.

Invariants:
- A document's entry is at least as new as the entries of its keys. Only keys that a write changed have
entries, so a
  range read lays documents over what it finds below by id, and keys over keys.
- An entry names the row that wrote it last. Dropping a row drops the entries that are still its own.
- Speculative rows remember what they replaced, newest last, so that they can be taken back in reverse order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sortedcontainers import SortedDict

from convexpy.database._entries import Keys, Replay, Write


class _Missing:
    """Stands for "there was no entry"."""


MISSING = _Missing()
ROW_OVERHEAD_BYTES = 400
WRITE_OVERHEAD_BYTES = 300


class MemoryRow:
    """A durable row, or one speculative call that is to become part of a row."""

    __slots__ = ("call_id", "catalog", "entries", "replaced", "seq", "size_bytes", "ts", "writes")

    def __init__(self, seq: int | None, ts: int | None, *, call_id: int | None = None) -> None:
        self.seq = seq
        self.ts = ts
        self.call_id = call_id
        self.size_bytes = ROW_OVERHEAD_BYTES
        self.writes: list[Write] = []
        self.entries: list[tuple[Any, Any]] = []
        self.replaced: list[Any] = []
        self.catalog: Any = None


Found = tuple[MemoryRow, Any]
"""An entry of the layer: who wrote it last and what; None hides what is below."""
FoundDocument = tuple[MemoryRow, bytes | None, Keys]
"""An entry of a document, with the keys that it has since."""


class MemoryLayer:
    """Documents, index keys and replay records by the row that wrote them last."""

    def __init__(self, on_key: Callable[[int, bytes], None]) -> None:
        self.documents: dict[int, dict[str, FoundDocument]] = {}
        self.keys: dict[int, Any] = {}  # index → SortedDict key → Found(id)
        self.replays: dict[tuple[str, int], Found] = {}
        self.tail: deque[MemoryRow] = deque()
        self.speculative: deque[MemoryRow] = deque()
        self.size_bytes = 0
        self._id_order: dict[int, list[str]] = {}
        self._on_key = on_key  # is told of every key that comes or goes

    def add(self, row: MemoryRow) -> None:
        """Append an empty row: durable if it has a `seq`, else speculative."""
        (self.tail if row.seq is not None else self.speculative).append(row)

    def apply(self, row: MemoryRow, writes: Sequence[Write], replay: Replay | None) -> None:
        """Lay one transaction over what is there, as part of `row`."""
        size = 0
        row.writes += writes
        for write in writes:
            tablet, id, document, keys = write.tablet, write.id, write.document, write.keys
            documents = self.documents.get(tablet)
            if documents is None:
                documents = self.documents[tablet] = {}
            changed = [change for change in keys if change[1] != change[2]]
            if changed:
                keys = [(index, new, new) for index, _, new in keys if new is not None]
                for index, old, new in changed:
                    size += self._change_key(row, index, old, new, id)
            if self._put(row, documents, id, (row, document, keys)) is MISSING:
                self._id_order.pop(tablet, None)
            size += WRITE_OVERHEAD_BYTES + (len(document) if document is not None else 0)
        if replay is not None:
            self._put(row, self.replays, (replay.session, replay.request), (row, replay.result))
            size += WRITE_OVERHEAD_BYTES + len(replay.result)
        row.size_bytes += size
        self.size_bytes += size

    def _change_key(self, row: MemoryRow, index: int, old: bytes | None, new: bytes | None, id: str) -> int:
        keys = self.keys.get(index)
        if keys is None:
            keys = self.keys[index] = SortedDict()
        size = WRITE_OVERHEAD_BYTES
        if old is not None:
            self._put(row, keys, old, (row, None))
            self._on_key(index, old)
            size += len(old)
        if new is not None:
            self._put(row, keys, new, (row, id))
            self._on_key(index, new)
            size += len(new)
        return size

    @staticmethod
    def _put(row: MemoryRow, entries: Any, key: Any, found: Any) -> Any:
        """Set an entry; return what it replaced, or MISSING."""
        before = entries.get(key, MISSING)
        row.entries.append((entries, key))
        if row.seq is None:
            row.replaced.append(before)
        entries[key] = found
        return before

    def promote(self, seq: int, ts: int, last_call_id: int) -> MemoryRow | None:
        """The speculative calls up to `last_call_id` are durable as row `seq`; return the last of them."""
        last = None
        while self.speculative and (self.speculative[0].call_id or 0) <= last_call_id:
            last = self.speculative.popleft()
            last.seq, last.ts = seq, ts
            last.replaced = []
            self.tail.append(last)
        return last

    def take_back(self, covered: int) -> None:
        """Undo all speculation.

        What it replaced comes back, unless the checkpoint `covered` holds it by now.
        """
        while self.speculative:
            row = self.speculative.pop()
            for (entries, key), before in zip(reversed(row.entries), reversed(row.replaced), strict=True):
                if before is MISSING or (before[0].seq is not None and before[0].seq <= covered):
                    entries.pop(key, None)
                else:
                    entries[key] = before
            self.size_bytes -= row.size_bytes - ROW_OVERHEAD_BYTES
        self._id_order.clear()

    def drop(self, seq: int) -> list[Write]:
        """Forget the durable rows up to `seq`, which the checkpoint holds; return what they wrote."""
        dropped: list[Write] = []
        while self.tail and (self.tail[0].seq or 0) <= seq:
            row = self.tail.popleft()
            for entries, key in row.entries:
                found = entries.get(key)
                if found is not None and found[0] is row:
                    del entries[key]
            self.size_bytes -= row.size_bytes - ROW_OVERHEAD_BYTES
            dropped += row.writes
        self._id_order.clear()
        return dropped

    def ids(self, tablet: int) -> list[str]:
        """Return the ids that have an entry, in order."""
        order = self._id_order.get(tablet)
        if order is None:
            order = self._id_order[tablet] = sorted(self.documents.get(tablet, ()))
        return order
