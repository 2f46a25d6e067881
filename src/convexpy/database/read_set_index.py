"""Which queries does a commit touch?

Every range lies in a bucket: the longest run of whole encoded values that all its keys start with. A
written key is looked up in the bucket of each of its prefixes. In a bucket are the queries that read all of
it (points and equality prefixes, by hash alone) and the true ranges, in an interval structure. So cost
grows with the matches and the number of fields, not with the subscriptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from convexpy.database._entries import WHOLE_INDEX
from convexpy.database._intervals import Interval, IntervalSet
from convexpy.errors import InvariantViolation
from convexpy.values import key_boundaries, prefix_successor

Place = tuple[int, bytes]
"""An index and a prefix of its keys."""
Range = Sequence[int | bytes | None]
ALL = b"\xff"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, bytes, bytes | None]]).decode
NO_RANGES = _encode([])
NOTHING: dict[bytes, int | set[int]] = {}


class ReadSetIndex:
    """Ranges of read sets by token (one token per query)."""

    def __init__(self) -> None:
        # By index and prefix. One token alone is kept without a set around it.
        self._whole: dict[int, dict[bytes, int | set[int]]] = {}
        self._parts: dict[Place, IntervalSet] = {}
        # index → how many values a prefix has → how many ranges have such a bucket
        self._depths: dict[int, dict[int, int]] = {}
        self._tokens: dict[int, bytes] = {}
        self._intervals: dict[int, list[tuple[Place, Interval]]] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def put(self, token: int, ranges: Sequence[Range]) -> None:
        """Make these the ranges of a query, as `ReadSet.encoded` has them."""
        packed = _encode(ranges)
        # Most queries that run again read where they did before; to enter the same ranges is a fifth of a large fan-out.
        if self._tokens.get(token) == packed:
            return
        self.remove(token)
        self._tokens[token] = packed
        for index, lower, upper in _not_empty(ranges):
            depth, prefix = _bucket(index, lower, upper)
            self._count(index, depth, 1)
            if _is_whole(prefix, lower, upper):
                self._add_whole(index, prefix, token)
                continue
            place, interval = (index, prefix), Interval(lower, upper, token)
            parts = self._parts.get(place)
            if parts is None:
                parts = self._parts[place] = IntervalSet()
            parts.add(interval)
            self._intervals.setdefault(token, []).append((place, interval))

    def _add_whole(self, index: int, prefix: bytes, token: int) -> None:
        whole = self._whole.setdefault(index, {})
        known = whole.get(prefix)
        if known is None:
            whole[prefix] = token
        elif isinstance(known, set):
            known.add(token)
        elif known != token:
            whole[prefix] = {known, token}

    def _remove_whole(self, index: int, prefix: bytes, token: int) -> None:
        whole = self._whole.get(index)
        if whole is None:
            return
        known = whole.get(prefix)
        if isinstance(known, set):
            known.discard(token)
            if known:
                return
        elif known != token:
            return
        del whole[prefix]
        if not whole:
            del self._whole[index]

    def _count(self, index: int, depth: int, change: int) -> None:
        depths = self._depths.setdefault(index, {})
        depths[depth] = depths.get(depth, 0) + change
        if not depths[depth]:
            del depths[depth]
            if not depths:
                del self._depths[index]

    def remove(self, token: int) -> None:
        """Remove all ranges of a token; an unknown one is ignored."""
        for index, lower, upper in _not_empty(_decode(self._tokens.pop(token, NO_RANGES))):
            depth, prefix = _bucket(index, lower, upper)
            self._count(index, depth, -1)
            if _is_whole(prefix, lower, upper):
                self._remove_whole(index, prefix, token)
        for place, interval in self._intervals.pop(token, ()):
            parts = self._parts[place]
            parts.remove(interval)
            if not len(parts):
                del self._parts[place]

    def touched(self, keys: Iterable[Place]) -> set[int]:
        """Return the tokens whose ranges contain one of these `(index, key)`."""
        found: set[int] = set()
        for index, key in keys:
            depths = self._depths.get(index)
            if depths is None:
                continue
            if key == WHOLE_INDEX:
                found |= self._readers(index)
            else:
                self._look_up(index, key, depths, found)
        return found

    def _readers(self, index: int) -> set[int]:
        """Return the tokens with any range of an index; rare, so all are looked at."""
        return {
            token
            for token, packed in self._tokens.items()
            if any(place == index for place, _, _ in _not_empty(_decode(packed)))
        }

    def _look_up(self, index: int, key: bytes, depths: dict[int, int], found: set[int]) -> None:
        ends = [len(key)] if index < 0 else key_boundaries(key)
        whole = self._whole.get(index, NOTHING)
        for depth in depths:
            if depth > len(ends):
                continue
            prefix = key[: ends[depth - 1]] if depth else b""
            readers = whole.get(prefix)
            if readers is not None:
                if isinstance(readers, set):
                    found |= readers
                else:
                    found.add(readers)
            parts = self._parts.get((index, prefix)) if self._parts else None
            if parts is not None:
                parts.collect(key, found)


def _not_empty(ranges: Sequence[Range]) -> Iterator[tuple[int, bytes, bytes]]:
    for index, lower, upper in ranges:
        assert isinstance(index, int)  # the form of an encoded range
        assert isinstance(lower, bytes)
        end = upper if isinstance(upper, bytes) else ALL
        if lower < end:
            yield index, lower, end


def _is_whole(prefix: bytes, lower: bytes, upper: bytes) -> bool:
    """Return whether a range is all of its bucket."""
    return lower == prefix and upper in (prefix + b"\0", prefix_successor(prefix))


def _bucket(index: int, lower: bytes, upper: bytes) -> tuple[int, bytes]:
    """Return the longest run of values that every key of a range starts with, and how many they are."""
    if index < 0:
        # by_id: the key is one id, not encoded values.
        return (1, lower) if upper == lower + b"\0" else (0, b"")
    ends = _boundaries(lower)
    for depth in range(len(ends), 0, -1):
        prefix = lower[: ends[depth - 1]]
        if upper <= prefix_successor(prefix):
            return depth, prefix
    return 0, b""


def _boundaries(bound: bytes) -> list[int]:
    """Return the ends of the whole values of a bound: it may have ff behind a prefix, or 00 behind a key."""
    if not bound:
        return []
    try:
        ends = key_boundaries(bound)
    except (ValueError, IndexError, InvariantViolation):
        # Behind a text, ff reads as if the text went on.
        return key_boundaries(bound[:-1])
    if bound[ends[-2] if len(ends) > 1 else 0] in (0x00, 0xFF):
        ends.pop()
    return ends
