"""Writing the zip of a snapshot, as a stream: the target need not be seekable, nothing is held in memory."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

README = """# A snapshot of a deployment

`<table>/documents.jsonl` has the documents of a table, one a line. `_tables/documents.jsonl` has the numbers of the
tables, which are part of every id. `_storage/` has stored files, if they were asked for.

Import it with `convexpy import --replace-all`, or with `npx convex import`.
"""
UNIFORM = b'"uniform"\n'
LEVEL = 3
FLUSH_BYTES = 256 * 1024


class SnapshotWriter:
    """Writes one archive. Call `close` at the end: without it the archive is not complete."""

    def __init__(self, target: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._now = time.gmtime()[:6]
        self._text("README.md", README.encode())

    @classmethod
    def reopen(cls, path: Path) -> SnapshotWriter:
        """Go on with an archive that was closed; it is not one again before `close`."""
        writer = cls.__new__(cls)
        writer._zip = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        writer._now = time.gmtime()[:6]
        return writer

    def _entry(self, path: str, *, compressed: bool = True) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(path, self._now)
        info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        info.external_attr = 0o644 << 16
        return info

    def _text(self, path: str, data: bytes) -> None:
        self._zip.writestr(self._entry(path), data, compresslevel=LEVEL)

    def numbers(self, numbers: Mapping[str, int]) -> None:
        """Write the numbers of the tables."""
        lines = (json.dumps({"name": name, "id": number}) + "\n" for name, number in sorted(numbers.items()))
        self._text("_tables/documents.jsonl", "".join(lines).encode())

    def table(self, name: str, documents: Iterable[bytes]) -> int:
        """Write the documents of a table, each encoded as exports are; return how many."""
        count = 0
        with self._zip.open(self._entry(f"{name}/documents.jsonl"), "w", force_zip64=True) as out:
            waiting: list[bytes] = []
            size = 0
            for document in documents:
                waiting += (document, b"\n")
                size += len(document)
                count += 1
                if size > FLUSH_BYTES:
                    out.write(b"".join(waiting))
                    waiting, size = [], 0
            out.write(b"".join(waiting))
        self._text(f"{name}/generated_schema.jsonl", UNIFORM)
        return count

    def blob(self, path: str, pieces: Iterable[bytes]) -> int:
        """Write the bytes of a stored file as they are; return how many."""
        size = 0
        with self._zip.open(self._entry(path, compressed=False), "w", force_zip64=True) as out:
            for piece in pieces:
                out.write(piece)
                size += len(piece)
        return size

    def extra(self, path: str, data: bytes) -> None:
        """Write something that only our own tools look for."""
        self._text(path, data)

    def close(self) -> None:
        """Write the directory of the archive."""
        self._zip.close()
