"""What a transaction reads from: the data as it was when the transaction began."""

from __future__ import annotations

from typing import Protocol

from convexpy.database._cursors import CursorCipher
from convexpy.database._memory import FoundDocument
from convexpy.database.catalog import Catalog

Item = tuple[bytes, str, bytes]
"""`(key, id, document)`."""
ALL = b"\xff"
"""Greater than every key and every id."""


class Snapshot(Protocol):
    """The part of a store that transactions use."""

    cursors: CursorCipher
    seq: int
    last_creation_time: float

    @property
    def catalog(self) -> Catalog:
        """The tables and indexes."""
        ...

    def get(self, tablet: int, id: str) -> FoundDocument:
        """Return a document and its keys; see `FoundDocument`."""
        ...

    def first(self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool) -> Item | None:
        """Return the first document of a range, or None."""
        ...

    def chunk(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> tuple[list[Item], bytes | None]:
        """Return the first documents of a range, and where the rest begins: None at its end."""
        ...
