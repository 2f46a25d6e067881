"""What a transaction read: ranges of index keys, and whether it asked for the identity or the environment.

A `get` is a range of one key, an empty result is still a range: so nothing that could change a result goes
unnoticed.
"""

from __future__ import annotations


class ReadRange:
    """A part of an index, half-open, that grows while an iterator goes on."""

    __slots__ = ("index", "lower", "upper")

    def __init__(self, index: int, lower: bytes, upper: bytes) -> None:
        self.index: int = index
        self.lower: bytes = lower
        self.upper: bytes = upper


class ReadSet:
    """The reads of one transaction, sub-transactions included, dropped ones too.

    A caller may have acted on them.
    """

    __slots__ = ("call", "identity", "points", "ranges", "spans")

    def __init__(self) -> None:
        self.identity: bool = False
        self.call: bool = False
        """Whether what belongs to this call alone was read: its time, random numbers, client or limits."""
        self.ranges: list[ReadRange] = []
        self.spans: list[tuple[int, bytes, bytes]] = []
        """Ranges that do not grow: `(index, lower, upper)`."""
        self.points: set[tuple[int, str]] = set()
        """Documents read by id: `(tablet, id)`."""

    def add(self, index: int, lower: bytes, upper: bytes) -> ReadRange:
        """Add a range and return it; the reader moves its bounds as it goes on."""
        added = ReadRange(index, lower, upper)
        self.ranges.append(added)
        return added

    def encoded(self) -> list[list[int | bytes | None]]:
        """Return `[index, lower, upper]` in order; overlapping ranges are joined, empty ones left out."""
        keys = [(-tablet, id.encode()) for tablet, id in self.points]
        spans = [(index, key, key + b"\0") for index, key in keys]
        spans += self.spans
        spans += [(r.index, r.lower, r.upper) for r in self.ranges if r.lower < r.upper]
        spans.sort()
        joined: list[list[int | bytes | None]] = []
        last_index, last_upper = 0, b""
        for index, lower, upper in spans:
            if joined and index == last_index and lower <= last_upper:
                if upper > last_upper:
                    joined[-1][2] = last_upper = upper
                continue
            joined.append([index, lower, upper])
            last_index, last_upper = index, upper
        return joined
