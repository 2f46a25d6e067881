"""What a checkpoint on another machine says, read in blocks: one journey brings the neighbours of what was asked for, too.

A block is a part of an index as the checkpoint had it at some row of the log, without gaps. When the checkpoint moves on it
stays true for a store that has in memory every change that was made since: whoever drops such changes has older blocks
forgotten. Which blocks are kept is decided as in a buffer pool (second chance).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from typing import Any

from sortedcontainers import SortedDict

from convexpy.database._snapshot import ALL, Item
from convexpy.errors import InvariantViolation
from convexpy.persistence import CheckpointReader, ReplayRecord

BYTES_MAX = 24 * 1024 * 1024
"""What all blocks of a store may take."""
BLOCK_BYTES_MAX = 64 * 1024
ITEMS_MAX, ITEMS_FIRST, ITEMS_MIN = 64, 8, 4
ITEM_OVERHEAD_BYTES = 300
SESSIONS_MAX = 10_000
WINDOW = 256
"""Reads of an index after which its blocks are made larger or smaller, once some had to make room."""


class _Block:
    __slots__ = ("end", "is_used", "items", "keys", "seq", "size_bytes", "start")

    def __init__(self, start: bytes, end: bytes, items: list[Item], seq: int) -> None:
        self.start, self.end, self.items, self.seq = start, end, items, seq
        self.keys = [item[0] for item in items]
        self.size_bytes = sum(len(item[2]) + ITEM_OVERHEAD_BYTES for item in items) + ITEM_OVERHEAD_BYTES
        self.is_used = False

    def part(self, lower: bytes, upper: bytes, limit: int, *, desc: bool) -> list[Item] | None:
        """Return the first documents of a range; None if the block does not know them all."""
        first, last = bisect_left(self.keys, lower), bisect_left(self.keys, upper)
        if desc:
            found = self.items[max(first, last - limit) : last]
            found.reverse()
            is_whole = self.start <= lower
        else:
            found = self.items[first : min(last, first + limit)]
            is_whole = upper <= self.end
        return found if is_whole or len(found) == limit else None


class _Index:
    """The blocks of one index by their start, and how many items the next one is to have."""

    __slots__ = ("blocks", "hits", "item_bytes", "misses", "size")

    def __init__(self) -> None:
        self.blocks: SortedDict = SortedDict()
        self.size = ITEMS_FIRST
        self.item_bytes = 0
        self.hits = self.misses = 0

    def find(self, lower: bytes, upper: bytes, *, desc: bool) -> _Block | None:
        """Return the block in which reading a range begins."""
        place = self.blocks.bisect_left(upper) - 1 if desc else self.blocks.bisect_right(lower) - 1
        block: _Block | None = self.blocks.peekitem(place)[1] if place >= 0 else None
        if block is None or (block.end < upper if desc else block.end <= lower):
            return None
        return block

    def gap(self, lower: bytes, upper: bytes, *, desc: bool) -> tuple[bytes, bytes]:
        """Return the range around the beginning of another one in which there is no block."""
        if desc:
            place = self.blocks.bisect_left(upper) - 1
            return (self.blocks.peekitem(place)[1].end if place >= 0 else b""), upper
        place = self.blocks.bisect_right(lower)
        following: Any = self.blocks.peekitem(place)[0] if place < len(self.blocks) else ALL
        return lower, following

    def items(self) -> int:
        """Return the number of documents to read at once."""
        fit = BLOCK_BYTES_MAX // self.item_bytes if self.item_bytes else ITEMS_MAX
        return max(1, min(self.size, 1 << max(0, fit.bit_length() - 1)))

    def adapt(self, *, is_full: bool) -> None:
        """Read more at once while there is room, or where neighbours are asked for; less where they are not."""
        if not is_full:
            self.size = min(ITEMS_MAX, self.size * 2)
        elif self.hits + self.misses >= WINDOW:
            if self.hits > self.misses:
                self.size = min(ITEMS_MAX, self.size * 2)
            elif self.hits * 4 < self.misses:
                self.size = max(ITEMS_MIN, self.size // 2)
            self.hits = self.misses = 0


class Blocks:
    """Reads of a checkpoint, between `begin` and `end` of its reader. `seq` is the row that the reader is at."""

    def __init__(self, reader: CheckpointReader) -> None:
        self.seq: int = 0
        self.size_bytes: int = 0
        """About how much all blocks take."""
        self._reader = reader
        self._indexes: dict[int, _Index] = {}
        self._order: OrderedDict[int, tuple[int, _Block]] = OrderedDict()
        self._sessions: dict[str, int] = {}
        self._is_full = False

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document."""
        if "\0" in id or not id.isascii():
            return None
        key = id.encode()
        found = self.ids(tablet, key, key + b"\0", desc=False, limit=1)
        return found[0][2] if found else None

    def ids(self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int) -> list[Item]:
        """Return the first documents of a range of ids."""
        return self.range(-tablet, tablet, lower, upper, desc=desc, limit=limit)

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[Item]:
        """Return the first entries of a range of an index with their documents."""
        if lower >= upper:
            return []
        of_index = self._indexes.get(index)
        if of_index is None:
            of_index = self._indexes[index] = _Index()
        block = of_index.find(lower, upper, desc=desc)
        found = block.part(lower, upper, limit, desc=desc) if block is not None else None
        if block is not None and found is not None:
            block.is_used = True
            of_index.hits += 1
            return found
        start, end = of_index.gap(lower, upper, desc=desc)
        count = max(of_index.items(), limit)
        if block is not None or start > lower or end < upper or count > ITEMS_MAX:
            return self._read(index, tablet, lower, upper, desc=desc, limit=limit)
        items = self._read(index, tablet, start, end, desc=desc, limit=count)
        of_index.misses += 1
        if desc:
            items.reverse()
        if len(items) == count:
            start, end = (items[0][0], end) if desc else (start, items[-1][0] + b"\0")
        block = _Block(start, end, items, self.seq)
        self._add(index, of_index, block)
        found = block.part(lower, upper, limit, desc=desc)
        if found is None:
            raise InvariantViolation(f"a block of index {index} does not hold what it was read for")
        return found

    def _read(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[Item]:
        if index < 0:
            return self._reader.ids(tablet, lower, upper, desc=desc, limit=limit)
        return self._reader.range(index, tablet, lower, upper, desc=desc, limit=limit)

    def _add(self, index: int, of_index: _Index, block: _Block) -> None:
        of_index.blocks[block.start] = block
        if block.items:
            of_index.item_bytes = block.size_bytes // len(block.items)
        self._order[id(block)] = index, block
        self.size_bytes += block.size_bytes
        while self.size_bytes > BYTES_MAX:
            self._is_full = True
            _, (its_index, oldest) = self._order.popitem(last=False)
            if oldest.is_used and oldest is not block:
                oldest.is_used = False
                self._order[id(oldest)] = its_index, oldest
            else:
                self._remove(its_index, oldest)
        of_index.adapt(is_full=self._is_full)

    def _remove(self, index: int, block: _Block) -> None:
        self.size_bytes -= block.size_bytes
        del self._indexes[index].blocks[block.start]

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's mutation answered. Requests of a session come in order: most are known to be new."""
        known = self._sessions.get(session)
        if known is not None and request >= known:
            return None
        found = self._reader.replays((session, request - 1), 1)
        record = found[0][0] if found else None
        if record is not None and record.session == session:
            return record if record.request == request else None
        if len(self._sessions) >= SESSIONS_MAX:
            self._sessions.clear()
        self._sessions[session] = request
        return None

    def forget_before(self, seq: int) -> None:
        """Forget what was read before the reader was at a row: changes up to it are not in memory any more."""
        self._sessions.clear()
        for key, (index, block) in list(self._order.items()):
            if block.seq < seq:
                del self._order[key]
                self._remove(index, block)

    def clear(self) -> None:
        """Forget everything."""
        self._indexes.clear()
        self._order.clear()
        self._sessions.clear()
        self.size_bytes = 0
