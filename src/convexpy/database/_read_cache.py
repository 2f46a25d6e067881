"""Documents and first keys of equality prefixes, kept from the checkpoint.

It holds what the checkpoint said when it was read. That can only become wrong by a row that a later checkpoint covers;
such a row is in the memory layer, which hides what lies below, until it is dropped from there, and then what it wrote is
forgotten here. So writes cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from convexpy.database._entries import Write
from convexpy.persistence import CheckpointReader
from convexpy.values import key_boundaries

__all__ = ["ReadCache"]

DOCUMENTS_BYTES_MAX = 32 * 1024 * 1024
POINTS_MAX = 50_000
ENTRY_OVERHEAD_BYTES = 200

Item = tuple[bytes, str, bytes]
Point = tuple[bytes, str] | None
"""The first `(key, id)` behind a prefix, or that there is none."""
MISSING: tuple[bytes, str] = (b"", "")


class ReadCache:
    """A bounded cache in front of a checkpoint reader; the oldest entries go first."""

    def __init__(self, reader: CheckpointReader) -> None:
        self._reader = reader
        self._documents: dict[tuple[int, str], bytes | None] = {}
        self._bytes = 0
        # index → (prefix, descending) → the first key there
        self._points: dict[int, dict[tuple[bytes, bool], Point]] = {}
        self._point_count = 0

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document of the checkpoint."""
        place = (tablet, id)
        try:
            return self._documents[place]
        except KeyError:
            document = self._reader.get(tablet, id)
            self._keep(place, document)
            return document

    def first(self, index: int, tablet: int, prefix: bytes, upper: bytes, *, desc: bool) -> list[Item]:
        """Return the first document of `[prefix, upper)`, all keys that start with the values of `prefix`."""
        points = self._points.get(index)
        if points is None:
            points = self._points[index] = {}
        place = (prefix, desc)
        point = points.get(place, MISSING)
        if point is None:
            return []
        if point is not MISSING:
            document = self.get(tablet, point[1])
            # Gone since: there may be others behind it.
            if document is not None:
                return [(point[0], point[1], document)]
        found = self._reader.range(index, tablet, prefix, upper, desc=desc, limit=1)
        self._keep_point(points, place, (found[0][0], found[0][1]) if found else None)
        if found:
            self._keep((tablet, found[0][1]), found[0][2])
        return found

    def _keep(self, place: tuple[int, str], document: bytes | None) -> None:
        self._forget_document(place)
        self._bytes += ENTRY_OVERHEAD_BYTES + len(document or b"")
        self._documents[place] = document
        while self._bytes > DOCUMENTS_BYTES_MAX:
            self._forget_document(next(iter(self._documents)))

    def _keep_point(
        self, points: dict[tuple[bytes, bool], Point], place: tuple[bytes, bool], point: Point
    ) -> None:
        if self._point_count >= POINTS_MAX:
            for others in self._points.values():
                others.clear()
            self._point_count = 0
        self._point_count += place not in points
        points[place] = point

    def _forget_document(self, place: tuple[int, str]) -> None:
        if place in self._documents:
            document = self._documents.pop(place)
            self._bytes -= ENTRY_OVERHEAD_BYTES + len(document or b"")

    def forget(self, writes: Iterable[Write]) -> None:
        """Forget what these writes made wrong."""
        for write in writes:
            self._forget_document((write.tablet, write.id))
            for index, old, new in write.keys:
                points = self._points.get(index)
                if points and old != new:
                    for key in (old, new):
                        if key is not None:
                            self._forget_key(points, key)

    def _forget_key(self, points: dict[tuple[bytes, bool], Point], key: bytes) -> None:
        for end in (0, *key_boundaries(key)):
            for desc in (False, True):
                if points.pop((key[:end], desc), MISSING) is not MISSING:
                    self._point_count -= 1

    def clear(self) -> None:
        """Forget everything."""
        self._documents.clear()
        self._points.clear()
        self._bytes = self._point_count = 0

    @property
    def size_bytes(self) -> int:
        """About how much the cache takes."""
        return self._bytes + self._point_count * ENTRY_OVERHEAD_BYTES
