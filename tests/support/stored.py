"""Documents of a stopped server, edited in `data.db` as by somebody who knows the format: with their checksums."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from convexpy.persistence.sqlite._checksums import document_checksum


def replace_in_documents(folder: Path, old: str, new: str) -> int:
    """Replace a text in all stored documents; return how many documents were changed."""
    changed = 0
    with contextlib.closing(sqlite3.connect(folder / "data.db")) as data, data:
        tables = data.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '_t[0-9]*'")
        for (table,) in tables.fetchall():
            rows = data.execute(
                f"SELECT n, _id, document FROM {table} WHERE instr(document, ?) > 0", (old,)
            ).fetchall()
            for n, id, document in rows:
                edited = document.replace(old, new)
                checksum = document_checksum(int(table.removeprefix("_t")), id.encode(), edited.encode())
                data.execute(
                    f"UPDATE {table} SET document = ?, checksum = ? WHERE n = ?", (edited, checksum, n)
                )
            changed += len(rows)
    return changed
