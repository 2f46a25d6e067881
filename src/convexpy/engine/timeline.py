"""The server's view of the log: where it stands, and the rows that the checkpoint does not cover yet."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from operator import itemgetter

import msgspec

from convexpy.database import WHOLE_INDEX, written_keys
from convexpy.persistence import LogRow
from convexpy.protocol.frames import Row, encode_frame

RECENT_ROWS = 4096
"""How many rows' keys are kept for queries at an older timestamp."""
RECENT_KEYS = 200_000
"""And how many keys: rows of an import have thousands each."""
WrittenKeys = list[tuple[int, bytes]]
ReadRanges = Iterable[tuple[int, bytes, bytes | None]]
UNPACKED_ROWS = 64
"""The newest rows are looked at by every query that ends."""
_END = b"\xff"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode
_lower = itemgetter(1)


class Reads:
    """A read set, in which written keys are looked up: cost grows with their logarithm, not with the ranges."""

    def __init__(self, ranges: ReadRanges) -> None:
        self._by_index: dict[int, tuple[list[bytes], list[bytes]]] = {}
        for index, lower, upper in sorted(ranges, key=_lower):
            lowers, uppers = self._by_index.setdefault(index, ([], []))
            end = _END if upper is None else upper
            lowers.append(lower)
            uppers.append(max(end, uppers[-1]) if uppers else end)

    def touched_by(self, keys: WrittenKeys) -> bool:
        """Say whether one of these keys is inside a range."""
        for index, key in keys:
            ranges = self._by_index.get(index)
            if ranges is None:
                continue
            if key == WHOLE_INDEX:
                return True
            place = bisect_right(ranges[0], key)
            if place and key < ranges[1][place - 1]:
                return True
        return False


class TailRow:
    """A durable row with its frame, encoded once for all executors."""

    __slots__ = ("frame", "keys", "seq", "size", "ts")

    def __init__(self, row: LogRow, keys: WrittenKeys) -> None:
        self.seq: int = row.seq
        self.ts: int = row.ts
        self.keys: WrittenKeys = keys
        """Only while it is the newest."""
        self.frame: bytes = encode_frame(Row(row.seq, row.ts, row.entry))
        self.size: int = len(row.entry)

    @property
    def entry(self) -> bytes:
        """The entry as the log holds it: the last element of the frame."""
        return self.frame[-self.size :]


class RecentRow:
    """What is remembered of a row beyond the checkpoint: which keys it wrote, not what."""

    __slots__ = ("_keys", "count", "seq", "ts")

    def __init__(self, seq: int, ts: int, keys: WrittenKeys) -> None:
        self.seq: int = seq
        self.ts: int = ts
        self.count: int = len(keys)
        self._keys: WrittenKeys | bytes = keys

    @property
    def keys(self) -> WrittenKeys:
        """The written keys."""
        return _decode(self._keys) if isinstance(self._keys, bytes) else self._keys

    def pack(self) -> None:
        """Take a fifth of the memory from now on, for it is rarely asked for."""
        if not isinstance(self._keys, bytes):
            self._keys = _encode(self._keys)


class LogTimeline:
    """The newest durable row and the tail after the checkpoint."""

    def __init__(self, rows: Iterable[LogRow], checkpoint_seq: int, row: int, ts: int) -> None:
        self.row: int = row
        self.ts: int = ts
        self.checkpoint_seq: int = checkpoint_seq
        self.tail: deque[TailRow] = deque(TailRow(tail_row, []) for tail_row in rows)
        self.tail_bytes: int = sum(tail_row.size for tail_row in self.tail)
        self._recent: deque[RecentRow] = deque()
        self._recent_keys = 0
        self._oldest: list[Callable[[], int]] = []

    def keep_for(self, oldest_row: Callable[[], int]) -> None:
        """Keep what calls need that have begun: `oldest_row` returns the row of the oldest of them, or the newest row."""
        self._oldest.append(oldest_row)

    @property
    def oldest_row(self) -> int:
        """The row of the oldest call without an answer, or the newest row: no checkpoint may pass it."""
        return min((oldest() for oldest in self._oldest), default=self.row)

    def append(self, row: LogRow, blobs: Iterable[bytes]) -> TailRow:
        """Add a row that has just become durable."""
        keys: WrittenKeys = []
        for blob in blobs:
            keys += written_keys(blob)
        tail_row = TailRow(row, keys)
        if self.tail:
            self.tail[-1].keys = []
        self.tail.append(tail_row)
        self._recent.append(RecentRow(row.seq, row.ts, keys))
        if len(self._recent) > UNPACKED_ROWS:
            self._recent[-UNPACKED_ROWS].pack()
        self._recent_keys += len(keys)
        self.tail_bytes += tail_row.size
        self.row, self.ts = row.seq, row.ts
        return tail_row

    def checkpointed(self, seq: int) -> None:
        """Drop the tail that the checkpoint now covers."""
        self.checkpoint_seq = seq
        while self.tail and self.tail[0].seq <= seq:
            self.tail_bytes -= self.tail.popleft().size

    @property
    def crowded(self) -> bool:
        """Whether it is time to forget keys: more than twice as many rows are remembered as need be."""
        return len(self._recent) > 2 * RECENT_ROWS or self._recent_keys > 2 * RECENT_KEYS

    def forget_old(self) -> None:
        """Drop the keys of rows that no call in flight can be older than, but for a bounded number of the newest."""
        recent, seq = self._recent, self.oldest_row
        while recent and recent[0].seq <= seq:
            if len(recent) <= RECENT_ROWS and self._recent_keys <= RECENT_KEYS:
                break
            self._recent_keys -= recent.popleft().count

    def touched_since(self, seq: int, reads: ReadRanges) -> bool:
        """Say whether a row after `seq` wrote a key inside one of these ranges."""
        if seq >= self.row:
            return False
        rows: list[RecentRow] = []
        for row in reversed(self._recent):
            if row.seq <= seq:
                break
            if row.count:
                rows.append(row)
        if not rows:
            return False
        found = Reads(reads)
        return any(found.touched_by(row.keys) for row in rows)

    def untouched_since(self, seq: int, reads: ReadRanges) -> bool:
        """Say whether no row after `seq` wrote into these ranges; False when that is not known any more."""
        if seq >= self.row:
            return True
        return bool(self._recent) and self._recent[0].seq <= seq + 1 and not self.touched_since(seq, reads)

    def unchanged_since(self, ts: int, reads: ReadRanges) -> bool:
        """Say whether no row after timestamp `ts` wrote into these ranges; False when that is not known any more."""
        if ts >= self.ts:
            return True
        if not self._recent or self._recent[0].ts > ts:
            return False
        seq = max((row.seq for row in self._recent if row.ts <= ts), default=0)
        return not self.touched_since(seq, reads)
