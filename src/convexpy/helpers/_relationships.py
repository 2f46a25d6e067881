"""Relationships between tables: one, many, and many through a table of pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convexpy.errors import DocumentNotFound
from convexpy.functions import DatabaseReader
from convexpy.values import Document


def get_one_from(db: DatabaseReader, table: str, index: str, /, **equal: Any) -> Document | None:
    """Return the one document that the index finds, or None; `NotUnique` if there are more."""
    return db.query(table).with_index(index, **equal).unique()


def get_many_from(db: DatabaseReader, table: str, index: str, /, **equal: Any) -> list[Document]:
    """Return the documents that the index finds."""
    return db.query(table).with_index(index, **equal).collect()


def get_many_via(
    db: DatabaseReader, table: str, to_field: str, index: str, /, **equal: Any
) -> list[Document | None]:
    """Return the documents that the pairs found by the index name in `to_field`; None for those gone."""
    return db.get_many(pair[to_field] for pair in get_many_from(db, table, index, **equal))


def get_all_or_raise(db: DatabaseReader, ids: Iterable[str], /) -> list[Document]:
    """Return the documents in the order of the ids.

    Raises:
        DocumentNotFound: one of them is gone.
    """
    found: list[Document] = []
    for id in ids:
        document = db.get(id)
        if document is None:
            raise DocumentNotFound(f"there is no document {id!r}")
        found.append(document)
    return found
