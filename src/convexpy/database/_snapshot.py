"""What a transaction is given: the data as it was when the transaction began, and the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

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


class DocumentSchema(Protocol):
    """The schema that documents are checked against: the room of schemas knows nothing of transactions."""

    def check_document(
        self, table: str, document: dict[str, Any], tables: Callable[[str], int | None], /
    ) -> None:
        """Raise SchemaViolation when the document does not fit its table."""
        ...

    def check_table(self, table: str, /) -> None:
        """Raise ArgumentError when the schema declares all tables there may be, and not this one."""
        ...

    def has_search_index(self, table: str, index: str, /) -> bool:
        """Say whether a table declares a search index of this name."""
        ...
