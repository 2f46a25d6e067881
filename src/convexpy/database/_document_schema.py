"""What a transaction needs of a schema: the room of schemas knows nothing of transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class DocumentSchema(Protocol):
    """The schema that documents are checked against."""

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
