"""What a store keeps in memory: everything that was written since the checkpoint, and documents that were read from it.

One entry per document, index key and replay record, so that memory grows with what is distinct, not with how often it is
written. A checkpoint changes nothing: the entries that it covers say what it says, and serve as a cache.

Room is made by generations. Entries are put into the young one; when that is full it becomes the old one, and what
was in the old one is dropped at once. A document that is read moves to the young generation, so what is in use stays.

Invariants:
- The newest state of a document or key is what is found first: in the young generation, then in the old one.
- A generation is dropped only when the checkpoint covers every change that was made before it became the old one.
- A document's entry is at least as new as the entries of its keys. Only keys that a write changed have entries, so a
  range read lays documents over what it finds below by id, and keys over keys.
- Speculative changes remember what they replaced, newest last, so that they can be taken back in reverse order.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sortedcontainers import SortedDict

from convexpy.database._entries import Keys, Replay, Write

MEMORY_BYTES_MAX = 48 * 1024 * 1024
"""What both generations may take together, beside what the checkpoint does not cover."""
ENTRY_OVERHEAD_BYTES = 250
_REPLAYS = 0


class _Missing:
    """Stands for "there was no entry"."""


MISSING = _Missing()


class Change:
    """One durable log entry, or one speculative call that is to become part of one."""

    __slots__ = ("call_id", "catalog", "replaced", "seq", "ts")

    def __init__(self, seq: int | None, ts: int | None, *, call_id: int = 0) -> None:
        self.seq = seq
        self.ts = ts
        self.call_id = call_id
        self.replaced: list[tuple[int, Any, Any]] = []
        self.catalog: Any = None


FoundDocument = tuple[bytes | None, Keys]
"""A document, None if there is none, and its keys if its last write is in memory and changed none of them."""


class _Generation:
    """Entries by space: `-tablet` for documents by id, an index number for ids by key, 0 for replay records."""

    __slots__ = ("entries", "last", "size_bytes", "written")

    def __init__(self) -> None:
        self.entries: dict[int, Any] = {}
        self.size_bytes = 0
        self.written: set[int] = set()
        """The tablets of which documents were written, not only read."""
        self.last: Change | None = None
        """The newest change when this became the old generation."""


class MemoryLayer:
    """Documents, index keys and replay records over those of the checkpoint. `None` hides what is below.

    `on_key(index, key, id)` is called for every key that comes (with its document's id) or goes (None), and `on_drop(seq)` when
    changes up to a row of the log are dropped.
    """

    def __init__(
        self, on_key: Callable[[int, bytes, str | None], None], on_drop: Callable[[int], None]
    ) -> None:
        self.speculative: deque[Change] = deque()
        self._young = _Generation()
        self._old = _Generation()
        self._covered = 0
        self._durable: Change | None = None
        self._id_order: dict[int, list[str]] = {}
        self._on_key = on_key
        self._on_drop = on_drop

    @property
    def size_bytes(self) -> int:
        """About how much all entries take."""
        return self._young.size_bytes + self._old.size_bytes

    def clear(self) -> None:
        """Forget everything: the checkpoint covers it."""
        self._young, self._old = _Generation(), _Generation()
        self._id_order.clear()

    # Changes

    def begin(self, change: Change) -> None:
        """Begin a change: a durable one if it has a `seq`, else speculative."""
        if change.seq is None:
            self.speculative.append(change)
        else:
            self._durable = change

    def apply(self, change: Change, writes: Sequence[Write], replay: Replay | None) -> None:
        """Lay one transaction over what is there, as part of `change`."""
        for write in writes:
            tablet, keys = write.tablet, write.keys
            changed = [each for each in keys if each[1] != each[2]]
            if changed:
                keys = ()  # a third of what the document takes, to be made of it again if it is written once more
                for index, old, new in changed:
                    if old is not None:
                        self._put(change, index, old, None, len(old))
                        self._on_key(index, old, None)
                    if new is not None:
                        self._put(change, index, new, write.id, len(new))
                        self._on_key(index, new, write.id)
            size = 0 if write.document is None else len(write.document)
            if self._put(change, -tablet, write.id, (write.document, keys), size) is MISSING:
                self._id_order.pop(tablet, None)
            self._young.written.add(tablet)
        if replay is not None:
            request = (replay.session, replay.request)
            self._put(change, _REPLAYS, request, (change, replay.result), len(replay.result))
        self._make_room()

    def _put(self, change: Change, space: int, key: Any, entry: Any, size: int) -> Any:
        """Set an entry; return what it replaced, or MISSING."""
        young, entries = self._young, self._entries(space)
        before = entries.get(key, MISSING)
        if before is MISSING:
            young.size_bytes += ENTRY_OVERHEAD_BYTES + size
            old = self._old.entries.get(space)
            if old is not None:
                before = old.get(key, MISSING)
        entries[key] = entry
        if change.seq is None:
            change.replaced.append((space, key, before))
        return before

    def _entries(self, space: int) -> Any:
        entries = self._young.entries.get(space)
        if entries is None:
            entries = self._young.entries[space] = SortedDict() if space > 0 else {}
        return entries

    def promote(self, seq: int, ts: int, last_call_id: int) -> Change | None:
        """The speculative calls up to `last_call_id` are durable as log entry `seq`; return the last of them.

        Calls are in the order in which they were accepted, which is not that of their ids.
        """
        last = None
        while self.speculative and (last is None or last.call_id != last_call_id):
            last = self._durable = self.speculative.popleft()
            last.seq, last.ts = seq, ts
            last.replaced = []
        return last

    def take_back(self) -> None:
        """Undo all speculation: what it replaced comes back."""
        while self.speculative:
            for space, key, before in reversed(self.speculative.pop().replaced):
                if before is MISSING:
                    for generation in (self._young, self._old):
                        generation.entries.get(space, {}).pop(key, None)
                else:
                    self._entries(space)[key] = before
        if self._old.last is not None and self._old.last.seq is None:
            self._old.last = self._durable
        self._id_order.clear()

    def checkpointed(self, seq: int) -> None:
        """The checkpoint covers everything up to log entry `seq`: its entries may be dropped when room is needed."""
        self._covered = max(self._covered, seq)
        self._make_room()

    def _make_room(self) -> None:
        if self._young.size_bytes <= MEMORY_BYTES_MAX // 2:
            return
        last = self._old.last
        if last is not None and (last.seq is None or last.seq > self._covered):
            return
        self._old, self._young = self._young, _Generation()
        self._old.last = self.speculative[-1] if self.speculative else self._durable
        self._id_order.clear()
        if last is not None and last.seq is not None:
            self._on_drop(last.seq)

    # Reading

    def document(self, tablet: int, id: str) -> FoundDocument | None:
        """Return the entry of a document, if there is one, and keep it for longer."""
        entries = self._young.entries.get(-tablet)
        if entries is not None:
            found: FoundDocument | None = entries.get(id)
            if found is not None:
                return found
        entries = self._old.entries.get(-tablet)
        found = entries.get(id) if entries is not None else None
        if found is not None:
            self._keep(tablet, id, found)
        return found

    def keep(self, tablet: int, id: str, document: bytes | None) -> FoundDocument:
        """Remember what the checkpoint says of a document that has no entry."""
        found: FoundDocument = (document, ())
        self._keep(tablet, id, found)
        self._id_order.pop(tablet, None)
        return found

    def _keep(self, tablet: int, id: str, found: FoundDocument) -> None:
        young = self._young
        self._entries(-tablet)[id] = found
        if tablet in self._old.written:
            young.written.add(tablet)
        young.size_bytes += ENTRY_OVERHEAD_BYTES + len(found[0] or b"")
        self._make_room()

    def replay(self, session: str, request: int) -> tuple[Change, bytes] | None:
        """Return what a session's request answered, and the change that it was part of."""
        for generation in (self._young, self._old):
            found: tuple[Change, bytes] | None = generation.entries.get(_REPLAYS, {}).get((session, request))
            if found is not None:
                return found
        return None

    def over(self, tablet: int) -> Callable[[str], FoundDocument | None] | None:
        """Return what looks up documents of a tablet by id; None if none of them was written."""
        if tablet not in self._young.written and tablet not in self._old.written:
            return None
        young, old = self._young.entries.get(-tablet), self._old.entries.get(-tablet)
        if not young or not old:
            return (young or old or {}).get
        return lambda id: young.get(id) or old.get(id)

    def keys(
        self, index: int, lower: bytes, upper: bytes, *, desc: bool
    ) -> Iterator[tuple[bytes, str | None]]:
        """Yield the keys of a range in order with their documents' ids, None for those that are gone."""
        found = [
            entries
            for generation in (self._young, self._old)
            if (entries := generation.entries.get(index)) is not None
        ]
        ranges = [entries.irange(lower, upper, inclusive=(True, False), reverse=desc) for entries in found]
        if len(found) < 2:
            yield from ((key, found[0][key]) for each in ranges for key in each)
            return
        last = None
        for key in heapq.merge(*ranges, reverse=desc):
            if key != last:
                last = key
                yield key, found[0][key] if key in found[0] else found[1][key]

    def ids(self, tablet: int) -> list[str]:
        """Return the ids of a tablet's documents that have an entry, in order."""
        order = self._id_order.get(tablet)
        if order is None:
            ids: set[str] = set()
            for generation in (self._young, self._old):
                ids.update(generation.entries.get(-tablet, ()))
            order = self._id_order[tablet] = sorted(ids)
        return order
