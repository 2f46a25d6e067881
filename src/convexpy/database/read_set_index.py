"""Which queries does a commit touch?

Every range lies in a bucket: the longest run of whole encoded values that all its keys start with. A
written key is looked up in the bucket of each of its prefixes. In a bucket are the queries that read all of
it (points and equality prefixes, by hash alone) and the true ranges, in an interval structure. So cost
grows with the matches and the number of fields, not with the subscriptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convexpy.database._entries import WHOLE_INDEX
from convexpy.database._intervals import Interval, IntervalSet
from convexpy.errors import InvariantViolation
from convexpy.values import key_boundaries, prefix_successor

Place = tuple[int, bytes]
"""An index and a prefix of its keys."""
ALL = b"\xff"


class ReadSetIndex:
    """Ranges of read sets by token (one token per query)."""

    def __init__(self) -> None:
        self._whole: dict[Place, int | set[int]] = {}  # one token alone is kept without a set around it
        self._parts: dict[Place, IntervalSet] = {}
        # index → how many values a prefix has → how many ranges have such a bucket
        self._depths: dict[int, dict[int, int]] = {}
        self._tokens: dict[int, list[tuple[Place, int, Interval | None]]] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, token: int, ranges: Iterable[Sequence[int | bytes | None]]) -> None:
        """Add the ranges of a query, as `ReadSet.encoded` has them.

        A token that is known gets them in addition.
        """
        held = self._tokens.setdefault(token, [])
        for index, lower, upper in ranges:
            assert isinstance(index, int)  # the form of an encoded range
            assert isinstance(lower, bytes)
            end = upper if isinstance(upper, bytes) else ALL
            if lower < end:
                held.append(self._add(token, index, lower, end))

    def _add(self, token: int, index: int, lower: bytes, upper: bytes) -> tuple[Place, int, Interval | None]:
        depth, prefix = _bucket(index, lower, upper)
        place = (index, prefix)
        self._count(place, depth, 1)
        if lower == prefix and upper in (prefix + b"\0", prefix_successor(prefix)):
            self._add_whole(place, token)
            return place, depth, None
        interval = Interval(lower, upper, token)
        parts = self._parts.get(place)
        if parts is None:
            parts = self._parts[place] = IntervalSet()
        parts.add(interval)
        return place, depth, interval

    def _add_whole(self, place: Place, token: int) -> None:
        known = self._whole.get(place)
        if known is None:
            self._whole[place] = token
        elif isinstance(known, set):
            known.add(token)
        elif known != token:
            self._whole[place] = {known, token}

    def _count(self, place: Place, depth: int, change: int) -> None:
        depths = self._depths.setdefault(place[0], {})
        depths[depth] = depths.get(depth, 0) + change
        if not depths[depth]:
            del depths[depth]
            if not depths:
                del self._depths[place[0]]

    def remove(self, token: int) -> None:
        """Remove all ranges of a token; an unknown one is ignored."""
        for place, depth, interval in self._tokens.pop(token, ()):
            self._count(place, depth, -1)
            if interval is not None:
                parts = self._parts[place]
                parts.remove(interval)
                if not len(parts):
                    del self._parts[place]
                continue
            known = self._whole.get(place)
            if isinstance(known, set):
                known.discard(token)
                if not known:
                    del self._whole[place]
            elif known == token:
                del self._whole[place]

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
            token for token, held in self._tokens.items() if any(place[0] == index for place, _, _ in held)
        }

    def _look_up(self, index: int, key: bytes, depths: dict[int, int], found: set[int]) -> None:
        ends = [len(key)] if index < 0 else key_boundaries(key)
        for depth in depths:
            if depth > len(ends):
                continue
            prefix = key[: ends[depth - 1]] if depth else b""
            place = (index, prefix)
            whole = self._whole.get(place)
            if whole is not None:
                if isinstance(whole, set):
                    found |= whole
                else:
                    found.add(whole)
            parts = self._parts.get(place)
            if parts is not None:
                parts.collect(key, found)


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
