"""The process that reads what was uploaded for an import: it checks every row and prepares what is to be written.

Steps:
1. It opens the file and says which tables are in it, each with the number in its ids if it has any.
2. The server makes room for them and answers with numbers and indexes.
3. It reads every row: ids and creation times are kept or made, documents checked against limits and schema. What is fine
   goes, encoded and with its index keys, into one file of batches a table. What is not is collected: `faults`, or `done`.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Iterator
from math import inf, nextafter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from convexpy.database import IndexInfo, TableInfo, check_table_name
from convexpy.errors import ArgumentError, Error, SchemaViolation
from convexpy.limits import DOCUMENT_NESTING_MAX, DOCUMENT_SIZE_BYTES_MAX
from convexpy.protocol.app_description import SchemaDescription
from convexpy.runtime import SecureRandom
from convexpy.sandbox.transfers.child import ServerLine, run_child
from convexpy.schema import load_schema
from convexpy.snapshots import (
    Archive,
    ArchivedTable,
    Fault,
    Place,
    SnapshotError,
    csv_types,
    guess_types,
    read_csv,
    read_json_array,
    read_json_lines,
)
from convexpy.values import (
    canonical_number,
    check_document_limits,
    decode_id,
    encode_document,
    encode_id,
    new_internal_id,
)

FAULTS_SHOWN = 20
BATCH_DOCUMENTS = 250
"""Few, for other mutations wait for a batch, and for those that are under way with it."""
BATCH_BYTES = 1024 * 1024
LENGTH = struct.Struct("<I")
FILES_NAME = "files.jsonl"
_SURELY_SMALL = DOCUMENT_SIZE_BYTES_MAX // 5
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{31,37}")
_encode = msgspec.msgpack.Encoder().encode
Rows = Iterator[tuple[int, dict[str, Any] | Fault]]


class _Source:
    """One table's rows, to be opened as often as need be."""

    def __init__(self, name: str, file: str, open_rows: Callable[[], Rows], number: int | None) -> None:
        self.name = name
        self.file = file
        self.rows = open_rows
        self.number = number if number is not None else self._number_of_first_id()

    def _number_of_first_id(self) -> int | None:
        for _, row in self.rows():
            if isinstance(row, Fault):
                continue
            decoded = decode_id(row["_id"]) if isinstance(row.get("_id"), str) else None
            return None if decoded is None else decoded[0]
        return None


class _Import:
    def __init__(self, line: ServerLine, job: dict[str, Any]) -> None:
        self._line = line
        self._job = job
        self._path = Path(job["path"])
        self._out = Path(job["out"])
        self._described = msgspec.convert(job["schema"], SchemaDescription | None)
        self._schema = None if self._described is None else load_schema(self._described)
        self._faults: list[Fault] = []
        self._fault_count = 0
        self._random = SecureRandom()
        self._now: float = job["nowMs"]
        self._numbers: dict[str, int] = {}
        self._rewrite: Callable[[Any], Any] | None = None
        self._documents = 0

    def run(self) -> None:
        if self._job["format"] == "zip":
            with Archive(self._path) as archive:
                if self._job["mode"] == "replaceAll":
                    archive.check_complete()
                self._run(self._archived(archive), archive)
        else:
            self._run([self._single()], None)

    def _run(self, sources: list[_Source], archive: Archive | None) -> None:
        line = self._line
        has_files = archive is not None and archive.has_files
        for source in sources:
            check_table_name(source.name)
        line.send(tables=[{"name": each.name, "number": each.number} for each in sources], files=has_files)
        answer = line.receive()
        self._numbers = {**answer["numbers"], "_storage": self._job["storageNumber"]}
        files = self._files(archive) if archive is not None and has_files else {"count": 0, "bytes": 0}
        tables: dict[str, Any] = {}
        for at, source in enumerate(sources):
            path = self._out / f"{at}.batches"
            with path.open("wb") as out:
                table = _TableWriter(self, source, answer["tables"][source.name], out)
                table.run()
            tables[source.name] = {"file": path.name, "documents": table.documents}
        if self._fault_count:
            line.send(faults=[fault.to_json() for fault in self._faults], count=self._fault_count)
        else:
            line.send(done={"tables": tables, "files": files})

    # Where rows come from

    def _archived(self, archive: Archive) -> list[_Source]:
        sources: list[_Source] = []
        for table in archive.tables:

            def rows(table: ArchivedTable = table) -> Rows:
                with archive.open(table.path) as stream:
                    yield from read_json_lines(stream, table.path, uniform=table.uniform, old=table.old)

            sources.append(_Source(table.name, table.path, rows, archive.numbers.get(table.name)))
        return sources

    def _single(self) -> _Source:
        job, file = self._job, str(self._job["name"])
        readers: dict[str, Callable[[BinaryIO], Rows]] = {
            "jsonLines": lambda stream: read_json_lines(stream, file),
            "jsonArray": lambda stream: read_json_array(stream, file),
            "csv": self._csv(file) if job["format"] == "csv" else lambda stream: iter(()),
        }
        read = readers[job["format"]]

        def rows() -> Rows:
            with self._path.open("rb") as stream:
                yield from read(stream)

        return _Source(job["table"], file, rows, None)

    def _csv(self, file: str) -> Callable[[BinaryIO], Rows]:
        table = None if self._described is None else self._described.tables.get(self._job["table"])
        delimiter: str | None = self._job["delimiter"]
        types = csv_types(None if table is None else table.validator, self._job["types"])
        with self._path.open("rb") as stream:
            types |= guess_types(stream, file, types, delimiter)
        return lambda stream: read_csv(stream, file, types, delimiter)

    def _files(self, archive: Archive) -> dict[str, int]:
        """List the stored files; ids of another deployment's `_storage` get our number, here and in all documents."""
        ours = self._job["storageNumber"]
        foreign: set[int] = set()
        count = size = 0
        with (self._out / FILES_NAME).open("wb") as out:
            for file in archive.files():
                decoded = decode_id(file.document["_id"])
                time = file.document.get("_creationTime")
                if decoded is None or not _is_number(time):
                    raise SnapshotError(f"{file.path}: `_id` is not a valid id, or `_creationTime` no number")
                foreign.add(decoded[0])
                entry = {
                    "id": encode_id(ours, decoded[1]),
                    "creationTime": time,
                    "sha256": file.document.get("sha256"),
                    "contentType": file.document.get("contentType"),
                    "internalId": file.document.get("internalId"),
                    "path": file.path,
                    "size": file.size,
                }
                out.write(msgspec.json.encode(entry) + b"\n")
                count, size = count + 1, size + file.size
        if foreign - {ours}:
            self._rewrite = _rewriting(foreign - {ours}, ours)
        return {"count": count, "bytes": size}

    # Rows

    def fault(self, fault: Fault) -> None:
        """Note a row that cannot be used."""
        self._fault_count += 1
        if len(self._faults) < FAULTS_SHOWN:
            self._faults.append(fault)

    def rewritten(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with ids of files as they are here."""
        return document if self._rewrite is None else self._rewrite(document)

    def check(self, table: str, document: dict[str, Any]) -> None:
        """Raise SchemaViolation if the document does not fit."""
        if self._schema is not None:
            self._schema.check_document(table, document, self._numbers.get)

    def new_time(self) -> float:
        """Return a creation time for a document without one; they grow in the order of the rows."""
        self._now = nextafter(self._now, inf)
        return canonical_number(self._now)

    def new_id(self, number: int) -> str:
        """Return an id for a document without one."""
        return encode_id(number, new_internal_id(self._random, int(self._job["nowMs"])))

    def count(self, table: str) -> None:
        """Count a batch of documents, and say so."""
        self._documents += BATCH_DOCUMENTS
        self._line.progress(table=table, documents=self._documents)


class _TableWriter:
    """Prepares one table. A batch is its length, then msgpack `[[id, document, [key…]]…]`."""

    def __init__(self, owner: _Import, source: _Source, target: dict[str, Any], out: BinaryIO) -> None:
        self._owner = owner
        self._source = source
        self._out = out
        self._number: int = target["number"]
        self._indexes = [IndexInfo(0, 0, "", tuple(fields)) for fields in target["indexes"]]
        self._batch: list[Any] = []
        self._batch_bytes = 0
        self._ids = array("q")
        self.documents = 0

    def run(self) -> None:
        owner, name = self._owner, self._source.name
        for line, row in self._source.rows():
            if isinstance(row, Fault):
                owner.fault(row)
                continue
            try:
                self._add(owner.rewritten(row))
            except (ArgumentError, SchemaViolation) as error:
                text = error.message.partition("does not match the schema: ")[2] or error.message
                text = " ".join(text.split("\n"))
                owner.fault(Fault(Place(self._source.file, line, 1), text))
            if len(self._batch) >= BATCH_DOCUMENTS or self._batch_bytes >= BATCH_BYTES:
                self._flush()
                owner.count(name)
        self._flush()
        if len(self._ids) != len(set(self._ids) if len(self._ids) < 10_000 else _distinct(self._ids)):
            owner.fault(Fault(Place(self._source.file), "an `_id` is there twice"))

    def _add(self, document: dict[str, Any]) -> None:
        owner = self._owner
        id, time = document.get("_id"), document.get("_creationTime")
        if id is None:
            id = document["_id"] = owner.new_id(self._number)
        else:
            self._check_id(id)
        if time is None:
            document["_creationTime"] = owner.new_time()
        elif not _is_number(time):
            raise ArgumentError("`_creationTime` is a number: milliseconds since the epoch")
        encoded = encode_document(document)
        for name in document:
            if name[:1] == "_" and name not in ("_id", "_creationTime"):
                raise ArgumentError(f"the field {name!r} begins with an underscore, as only system fields do")
        if len(encoded) > _SURELY_SMALL or encoded.count(b"{") + encoded.count(b"[") > DOCUMENT_NESTING_MAX:
            check_document_limits(document)
        owner.check(self._source.name, document)
        suffix = TableInfo.key_suffix(document)
        self._batch.append([id, encoded, [index.key(document, suffix) for index in self._indexes]])
        self._batch_bytes += len(encoded)
        self.documents += 1

    def _check_id(self, id: Any) -> None:
        decoded = decode_id(id) if isinstance(id, str) else None
        if decoded is None:
            raise ArgumentError(f"`_id` {id!r} is not a valid id")
        if decoded[0] != self._number:
            raise ArgumentError(
                f"the `_id` {id} is of table number {decoded[0]}, those of {self._source.name!r} have {self._number}"
            )
        self._ids.append(hash(id))

    def _flush(self) -> None:
        if self._batch:
            data = _encode(self._batch)
            self._out.write(LENGTH.pack(len(data)) + data)
            self._batch, self._batch_bytes = [], 0


def _distinct(hashes: array[int]) -> array[int]:
    """Return the hashes without repetitions, in a few bytes each."""
    found, last = array("q"), None
    for each in sorted(hashes):
        if each != last:
            found.append(each)
        last = each
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < inf


def _rewriting(foreign: set[int], ours: int) -> Callable[[Any], Any]:
    """Return a function that gives ids of foreign numbers ours, wherever they are in a document."""

    def rewrite(value: Any) -> Any:
        if isinstance(value, str):
            if 31 <= len(value) <= 37 and _ID.fullmatch(value):
                decoded = decode_id(value)
                if decoded is not None and decoded[0] in foreign:
                    return encode_id(ours, decoded[1])
            return value
        if isinstance(value, dict):
            return {name: rewrite(item) for name, item in value.items()}
        return [rewrite(item) for item in value] if isinstance(value, list) else value

    return rewrite


def work(line: ServerLine, job: dict[str, Any]) -> None:
    """Prepare one import."""
    try:
        _Import(line, job).run()
    except RecursionError:
        raise Error("a value is nested too deeply", code="SnapshotInvalid") from None


if __name__ == "__main__":
    run_child(work)
