"""What writer and reader of `data.db` share: which tables it has, and how damage in them is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from zlib import crc32

from convexpy.persistence.interface import DataDamaged
from convexpy.persistence.sqlite._checksums import document_checksum

DAMAGE = (DataDamaged, sqlite3.DatabaseError, TypeError, UnicodeDecodeError)
"""What reading a damaged record may raise: a flipped bit can also make bytes a number, or text no UTF-8."""
_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_TABLES = "SELECT CAST(name AS BLOB) FROM sqlite_schema WHERE type = 'table'"


def stored_numbers(connection: sqlite3.Connection) -> tuple[set[int], set[int]]:
    """Return the numbers of the stored tablets and indexes."""
    return _numbers(name.decode(errors="replace") for (name,) in connection.execute(_TABLES))


def schema_checksum(connection: sqlite3.Connection) -> str:
    """Return the checksum of the definitions of our own tables and indexes; views and what a person adds are not ours."""
    query = (
        "SELECT CAST(type || ' ' || name || ' ' || coalesce(sql, '') AS BLOB) FROM sqlite_schema "
        "WHERE type IN ('table', 'index') AND name LIKE '\\_%' ESCAPE '\\' ORDER BY name"
    )
    return str(crc32(b"\0".join(text for (text,) in connection.execute(query))))


def _numbers(names: Iterable[str]) -> tuple[set[int], set[int]]:
    """Split the names of SQL tables into numbers of tablets and of indexes."""
    found: dict[str, set[int]] = {"_t": set(), "_i": set()}
    for name in names:
        if name[:2] in found and name[2:].isdigit():
            found[name[:2]].add(int(name[2:]))
    return found["_t"], found["_i"]


def checked_document(tablet: int, id: bytes, document: bytes, checksum: int | None) -> tuple[str, bytes]:
    """Return a document's id and content as they were written; raise DataDamaged if they are not."""
    if document_checksum(tablet, id, document) != checksum:
        raise damaged_document(id)
    return id.decode(), document


def damaged_document(id: str | bytes) -> DataDamaged:
    """Return the error for a document that is not what was written."""
    text = id if isinstance(id, str) else id.decode(errors="backslashreplace")
    return DataDamaged(f"the document {text} is not what was written: its checksum is another")


def named_damage(connection: sqlite3.Connection, tablet: int, error: BaseException) -> BaseException:
    """Return the error for damage met while reading a tablet, with its table's name; other errors as they are."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CODES:
        return error
    what = error.message if isinstance(error, DataDamaged) else str(error)
    return DataDamaged(f"data.db, table {table_name(connection, tablet)}: {what}")


def table_name(connection: sqlite3.Connection, tablet: int) -> str:
    """Return what a person calls a tablet: the name of its view, or its own."""
    try:
        query = "SELECT CAST(name AS BLOB) FROM sqlite_schema WHERE type = 'view' AND sql LIKE ? ESCAPE '\\'"
        row = connection.execute(query, (f"%FROM \\_t{tablet}",)).fetchone()
    except sqlite3.Error:
        row = None
    return f"_t{tablet}" if row is None else str(row[0].decode(errors="replace"))
