"""The process that writes an export: one read transaction on the checkpoint, from the first document to the last.

Its job names `folder` (the data), `target` (the zip to write), `tables` (None for all), `files` (whether stored files are
wanted) and `manifest` (more to write, or None). It writes the documents of stored files, and beside the zip a list of
their bytes for the server, which has the store.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from convexpy.database import Catalog, TableInfo, system_index
from convexpy.persistence import CheckpointReader, open_reader
from convexpy.sandbox.transfers.child import ServerLine, run_child
from convexpy.snapshots import SnapshotWriter
from convexpy.values import decode_document, encode_export, encode_key, prefix_successor

PAGE = 500
ALL = b"\xff"
TABLES, INDEX = 1, 2
FILE_FIELDS = ("_id", "_creationTime", "sha256", "size", "contentType")


def every(reader: CheckpointReader, tablet: int, index: int) -> Iterator[bytes]:
    """Yield the documents of a tablet in the order of an index; `-tablet` is by id."""
    lower = b""
    while True:
        if index < 0:
            found = reader.ids(tablet, lower, ALL, desc=False, limit=PAGE)
        else:
            found = reader.range(index, tablet, lower, ALL, desc=False, limit=PAGE)
        for _, _, document in found:
            yield document
        if len(found) < PAGE:
            return
        lower = found[-1][0] + b"\0"


class _Export:
    def __init__(self, line: ServerLine, job: dict[str, Any]) -> None:
        self._line = line
        self._job = job
        self._reader = open_reader(job["address"])
        self._done = 0

    def run(self) -> None:
        reader, job = self._reader, self._job
        line = self._line
        line.send(begun=reader.begin())
        catalog = Catalog.load(every(reader, TABLES, -TABLES), every(reader, INDEX, -INDEX))
        tables = [
            table for table in catalog.user_tables() if job["tables"] is None or table.name in job["tables"]
        ]
        counts: dict[str, int] = {}
        with Path(job["target"]).open("wb") as target:
            writer = SnapshotWriter(target)
            writer.numbers({table.name: table.number for table in tables})
            for table in tables:
                counts[table.name] = writer.table(table.name, self._documents(table))
            files = self._files(writer, catalog) if job["files"] else 0
            if job["manifest"] is not None:
                manifest = {**job["manifest"], "tables": counts, "files": files}
                writer.extra("_convexpy/manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))
            writer.close()
        line.send(done={"tables": counts, "files": files})

    def _documents(self, table: TableInfo) -> Iterator[bytes]:
        by_creation_time = table.by_name["by_creation_time"].number
        for stored in every(self._reader, table.tablet, by_creation_time):
            self._done += 1
            if not self._done % PAGE:
                self._line.progress(table=table.name, documents=self._done)
            yield encode_export(decode_document(stored))

    def _files(self, writer: SnapshotWriter, catalog: Catalog) -> int:
        """Write the documents of stored files, and the list of their bytes."""
        table = catalog.by_name["_storage"]
        count = 0
        with Path(self._job["target"] + ".files").open("wb") as bytes_wanted:
            lines: list[bytes] = []
            for stored in every(self._reader, table.tablet, table.tablet):
                document = decode_document(stored)
                uuid = self._uuid(catalog, document["_id"])
                if uuid is None:
                    continue
                kind = str(document.get("contentType") or "").partition(";")[0].strip()
                suffix = mimetypes.guess_extension(kind) or ""
                fields = {name: document[name] for name in FILE_FIELDS if name in document}
                lines.append(msgspec.json.encode({**fields, "internalId": uuid}) + b"\n")
                wanted = {
                    "uuid": uuid,
                    "size": document["size"],
                    "path": f"_storage/{document['_id']}{suffix}",
                }
                bytes_wanted.write(msgspec.json.encode(wanted) + b"\n")
                count += 1
            writer.extra("_storage/documents.jsonl", b"".join(lines))
        return count

    def _uuid(self, catalog: Catalog, id: str) -> str | None:
        blobs = catalog.by_name["_file_storage"]
        prefix = encode_key([id])
        index = system_index("_file_storage", "by_storage_id")
        found = self._reader.range(index, blobs.tablet, prefix, prefix_successor(prefix), desc=False, limit=1)
        return None if not found else str(decode_document(found[0][2])["uuid"])


def work(line: ServerLine, job: dict[str, Any]) -> None:
    """Write one export."""
    _Export(line, job).run()


if __name__ == "__main__":
    run_child(work)
