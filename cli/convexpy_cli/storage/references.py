"""Which documents point to files: read from outside, table by table.

A table is read if its schema has a `v.id("_storage")` or a `v.any()`, or if it has none. In what is read, every string that is
a file's id counts. Pages are read one after the other, so a document that is written meanwhile may be missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convexpy.client import AdminClient, DataClient, DocumentQuery
from convexpy.printable import counted
from convexpy.protocol.app_description import TableDescription


@dataclass(frozen=True)
class Reference:
    """A field of a document that holds a file's id."""

    table: str
    document: str
    path: str

    def __str__(self) -> str:
        return f"{self.table} {self.document} ({self.path})"


@dataclass
class Scan:
    """What was found, and what it took."""

    references: dict[str, list[Reference]] = field(default_factory=dict[str, list[Reference]])
    tables: list[str] = field(default_factory=list[str])
    documents: int = 0

    def cost(self) -> str:
        """Return what was read."""
        if not self.tables:
            return "no table can contain ids of files"
        return f"read {counted(self.documents, 'document')} of {', '.join(self.tables)}"


def scan(client: AdminClient, files: set[str]) -> Scan:
    """Look for these files in all documents that may point to files."""
    found, data = Scan(), DataClient(client)
    described = client.app().tables
    for table in sorted(each.name for each in data.tables()):
        if table.startswith("_") or not may_refer(described.get(table)):
            continue
        found.tables.append(table)
        for document in data.documents(DocumentQuery(table)):
            found.documents += 1
            for id, path in ids_in(document, files):
                found.references.setdefault(id, []).append(Reference(table, document["_id"], path))
    return found


def may_refer(definition: TableDescription | None) -> bool:
    """Return whether documents of a table with this definition (None: no schema) may hold ids of files."""
    return definition is None or _mentions_files(definition.validator)


def _mentions_files(described: Any) -> bool:
    if isinstance(described, dict):
        kind = described.get("type")
        if kind == "any" or (kind == "id" and described.get("tableName") == "_storage"):
            return True
        return any(_mentions_files(each) for each in described.values())
    return isinstance(described, list) and any(_mentions_files(each) for each in described)


def ids_in(value: Any, files: set[str], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every id of `files` in a document, with the path of its field."""
    if isinstance(value, str):
        if value in files:
            yield value, path
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from ids_in(each, files, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from ids_in(each, files, f"{path}[{place}]")
