"""Making tables: the documents of `_tables` and `_index` that a first insert or a push writes."""

from __future__ import annotations

import re
from typing import Any

from convexpy.database.catalog import Catalog
from convexpy.errors import ArgumentError
from convexpy.limits import IDENTIFIER_LENGTH_MAX

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch


def check_table_name(name: str) -> None:
    """Raise ArgumentError unless app code may have a table of this name."""
    if name.startswith("_"):
        raise ArgumentError(
            f"Invalid table name {name}: System tables (prefixed with `_`) are read-only.",
            code="InvalidTableName",
        )
    if _IDENTIFIER(name) is None or len(name) > IDENTIFIER_LENGTH_MAX:
        raise ArgumentError(
            f'Invalid table name: "{name}". Identifiers must start with a letter and can only contain '
            f"letters, digits, and underscores, at most {IDENTIFIER_LENGTH_MAX}.",
            code="InvalidTableName",
        )


def new_table_documents(
    catalog: Catalog, name: str, *, state: str = "active"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the document of a new table and that of its `by_creation_time`, which is ready at once.

    It is empty.
    """
    number = catalog.next_table_number()
    table = {"name": name, "number": number, "tablet": number, "state": state}
    index = new_index_document(catalog, number, "by_creation_time", (), state="ready")
    return table, index


def new_index_document(
    catalog: Catalog,
    tablet: int,
    name: str,
    fields: tuple[str, ...] | list[str],
    *,
    state: str,
    staged: bool = False,
) -> dict[str, Any]:
    """Return the document of a new index, with a number that no other has."""
    return {
        "tablet": tablet,
        "name": name,
        "fields": list(fields),
        "number": catalog.next_index_number(),
        "state": state,
        "staged": staged,
    }
