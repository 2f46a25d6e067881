"""What was read is kept: documents of the checkpoint, and the first key behind a prefix.

Both forget by generations: when the younger one is full it becomes the older one, and what was not asked for meanwhile
is gone. So a look-up is a dictionary's, and making room costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from convexpy.database._entries import Write
from convexpy.persistence import CheckpointReader
from convexpy.values import key_boundaries

DOCUMENTS_BYTES_MAX = 32 * 1024 * 1024
POINTS_MAX = 100_000
ENTRY_OVERHEAD_BYTES = 200

Point = tuple[bytes, str] | None
"""The first `(key, id)` behind a prefix, or that there is none."""
MISSING: tuple[bytes, str] = (b"", "")
_UNKNOWN = b"not read yet"

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Generations(Generic[K, V]):
    """A dictionary of bounded weight."""

    __slots__ = ("_half", "_old", "_old_weight", "_weigh", "_weight", "_young")

    def __init__(self, weight_max: int, weigh: Callable[[V], int]) -> None:
        self._half = weight_max // 2
        self._weigh = weigh
        self._weight = self._old_weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K, missing: V) -> V:
        """Return the entry, or `missing`."""
        found = self._young.get(key, missing)
        if found is missing and key in self._old:
            found = self._old.pop(key)
            self.put(key, found)
        return found

    def put(self, key: K, entry: V) -> None:
        """Set an entry."""
        if self._weight >= self._half:
            self._old, self._old_weight = self._young, self._weight
            self._young, self._weight = {}, 0
        self._young[key] = entry
        self._weight += self._weigh(entry)

    def discard(self, key: K) -> None:
        """Forget an entry, if it is there."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._young.clear()
        self._old.clear()
        self._weight = self._old_weight = 0

    @property
    def weight(self) -> int:
        """The weight of all entries, discarded ones included until their generation goes."""
        return self._weight + self._old_weight


def _document_bytes(document: bytes | None) -> int:
    return ENTRY_OVERHEAD_BYTES + len(document or b"")


class ReadCache:
    """Documents of the checkpoint.

    What the checkpoint said when it was read can only become wrong by a row that a later checkpoint covers; such a row
    is in the memory layer, which hides what lies below, until it is dropped from there, and then what it wrote is
    forgotten here. So writes cost nothing.
    """

    def __init__(self, reader: CheckpointReader) -> None:
        self._reader = reader
        self._documents: _Generations[tuple[int, str], bytes | None] = _Generations(
            DOCUMENTS_BYTES_MAX, _document_bytes
        )

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document of the checkpoint."""
        found = self._documents.get((tablet, id), _UNKNOWN)
        if found is _UNKNOWN:
            found = self._reader.get(tablet, id)
            self._documents.put((tablet, id), found)
        return found

    def forget(self, writes: Iterable[Write]) -> None:
        """Forget what these writes made wrong."""
        for write in writes:
            self._documents.discard((write.tablet, write.id))

    def clear(self) -> None:
        """Forget everything."""
        self._documents.clear()

    @property
    def size_bytes(self) -> int:
        """About how much the cache takes."""
        return self._documents.weight


class PointCache:
    """First keys behind prefixes, as a store sees them: memory over checkpoint.

    Every change of a key that the store comes to see must be told, and undoing one is a change.
    """

    def __init__(self) -> None:
        self._points: dict[int, _Generations[tuple[bytes, bool], Point]] = {}
        self._longest: dict[int, int] = {}

    def get(self, index: int, prefix: bytes, desc: bool) -> Point:
        """Return the first key that starts with the values of `prefix`, the last one with `desc`, or MISSING."""
        points = self._points.get(index)
        return points.get((prefix, desc), MISSING) if points is not None else MISSING

    def keep(self, index: int, prefix: bytes, desc: bool, point: Point) -> None:
        """Remember a first key, or that there is none."""
        points = self._points.get(index)
        if points is None:
            points = self._points[index] = _Generations(POINTS_MAX, lambda point: 1)
        self._longest[index] = max(self._longest.get(index, 0), len(prefix))
        points.put((prefix, desc), point)

    def forget(self, index: int, key: bytes) -> None:
        """Forget what a key that came or went may have changed."""
        points = self._points.get(index)
        if points is None:
            return
        longest = self._longest[index]
        for end in (0, *key_boundaries(key)):
            if end > longest:
                return
            points.discard((key[:end], False))
            points.discard((key[:end], True))

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._longest.clear()

    @property
    def size_bytes(self) -> int:
        """About how much the cache takes."""
        return sum(points.weight for points in self._points.values()) * ENTRY_OVERHEAD_BYTES
