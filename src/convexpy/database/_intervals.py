"""A set of half-open intervals that answers "which contain this key?".

Logarithmic method: a short list of new intervals, and static trees of doubling size that take over when it
is full. A tree is an array sorted by start, read as a balanced search tree whose nodes know the greatest
end below them. Removed intervals are marked and go at the next rebuild; when most are marked, everything is
rebuilt. Cost: O(log² n + matches) a look-up, O(log² n) amortised for adding and removing.
"""

from __future__ import annotations

SHORT_LIST = 16


class Interval:
    """`[lower, upper)` of `token`; a removed one has no token."""

    __slots__ = ("lower", "token", "upper")

    def __init__(self, lower: bytes, upper: bytes, token: int) -> None:
        self.lower = lower
        self.upper = upper
        self.token: int | None = token


class _Tree:
    """A static set.

    The root of the slice `[low, high)` is its middle; `tops` holds the greatest end per root.
    """

    __slots__ = ("intervals", "tops")

    def __init__(self, intervals: list[Interval]) -> None:
        self.intervals = sorted(intervals, key=_start)
        self.tops = [b""] * len(intervals)
        self._fill(0, len(intervals))

    def _fill(self, low: int, high: int) -> bytes:
        if low >= high:
            return b""
        middle = (low + high) // 2
        top = max(self.intervals[middle].upper, self._fill(low, middle), self._fill(middle + 1, high))
        self.tops[middle] = top
        return top

    def collect(self, key: bytes, found: set[int]) -> None:
        intervals, tops = self.intervals, self.tops
        open_slices = [(0, len(intervals))]
        while open_slices:
            low, high = open_slices.pop()
            while low < high:
                middle = (low + high) // 2
                if tops[middle] <= key:
                    break
                interval = intervals[middle]
                if interval.lower <= key:
                    if interval.upper > key and interval.token is not None:
                        found.add(interval.token)
                    open_slices.append((middle + 1, high))
                high = middle


def _start(interval: Interval) -> bytes:
    return interval.lower


class IntervalSet:
    """Intervals of one bucket."""

    __slots__ = ("_dead", "_short", "_size", "_trees")

    def __init__(self) -> None:
        self._short: list[Interval] = []
        self._trees: list[_Tree] = []  # growing sizes
        self._size = 0
        self._dead = 0

    def __len__(self) -> int:
        return self._size - self._dead

    def add(self, interval: Interval) -> None:
        """Add an interval."""
        self._size += 1
        self._short.append(interval)
        if len(self._short) > SHORT_LIST:
            merged = self._short
            while self._trees and len(self._trees[0].intervals) <= 2 * len(merged):
                merged = merged + self._trees.pop(0).intervals
            self._short = []
            self._trees.insert(0, _Tree(self._alive(merged)))

    def _alive(self, intervals: list[Interval]) -> list[Interval]:
        alive = [interval for interval in intervals if interval.token is not None]
        gone = len(intervals) - len(alive)
        self._size -= gone
        self._dead -= gone
        return alive

    def remove(self, interval: Interval) -> None:
        """Remove an interval that was added."""
        interval.token = None
        self._dead += 1
        if self._dead > SHORT_LIST and self._dead * 2 > self._size:
            everything = self._short + [one for tree in self._trees for one in tree.intervals]
            alive = self._alive(everything)
            self._short = []
            self._trees = [_Tree(alive)] if alive else []

    def collect(self, key: bytes, found: set[int]) -> None:
        """Add to `found` the tokens of the intervals that contain `key`."""
        for interval in self._short:
            if interval.lower <= key < interval.upper and interval.token is not None:
                found.add(interval.token)
        for tree in self._trees:
            tree.collect(key, found)
