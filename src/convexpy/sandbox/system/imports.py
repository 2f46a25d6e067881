"""The transactions of an import: making room, filling, and the one in which everything becomes visible.

A table that is replaced gets a second, hidden tablet with the same indexes. It is filled in bounded transactions that
nobody sees; `swap` points the names to the new tablets and gives the old ones up, all in one. Whatever goes wrong before,
`abort` gives the hidden ones up instead.

States of the document in `_snapshot_imports`: `uploaded` → `waiting_for_confirmation` → `in_progress` → `completed`, or
`failed` from any of them; `validated` is the end of a dry run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from convexpy.database import TableInfo, check_table_name, new_index_document, new_table_documents
from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.protocol.system import imports as calls
from convexpy.sandbox import files
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import UNSET, Document, canonical_number, decode_document

TABLE = "_snapshot_imports"
LISTED = 20
KEPT = 100
UNFINISHED = ("uploaded", "waiting_for_confirmation", "in_progress")
FILES_AT_ONCE = 20_000
_NAME = re.compile(r"[0-9a-z]{1,40}/[0-9a-z.]{1,40}")


def _newest_first(context: CallContext, limit: int) -> list[Document]:
    return list(context.transaction.stream(QueryPlan(TABLE, order="desc", system=True), limit=limit))


@handles(calls.CreateImport)
def create(context: CallContext, call: calls.CreateImport) -> str:
    # Old ones are forgotten.
    transaction = context.transaction
    for old in _newest_first(context, 2 * KEPT)[KEPT:]:
        transaction.system_delete(TABLE, old["_id"])
    document = {**call.described, "state": {"state": "uploaded"}, "requestor": "snapshotImport"}
    return transaction.system_insert(TABLE, document)


@handles(calls.UpdateImport)
def update(context: CallContext, call: calls.UpdateImport) -> bool:
    found = context.transaction.get(call.id, TABLE, system=True)
    if found is None or found["state"]["state"] not in call.of:
        return False
    context.transaction.system_patch(TABLE, call.id, call.fields)
    return True


@handles(calls.GetImport)
def get(context: CallContext, call: calls.GetImport) -> Document | None:
    id = context.transaction.normalize_id(TABLE, call.import_id, system=True)
    return None if id is None else context.transaction.get(id, TABLE, system=True)


@handles(calls.ListImports)
def list_imports(context: CallContext, call: calls.ListImports) -> list[Document]:
    return _newest_first(context, LISTED)


# Making room


@handles(calls.BeginImport)
def begin(context: CallContext, call: calls.BeginImport) -> calls.ImportRoom:
    return _Room(context, call.id, call.mode).make(call.tables)


class _Room:
    def __init__(self, context: CallContext, id: str, mode: str) -> None:
        self._transaction = context.transaction
        self._id = id
        self._mode = mode
        self._places: dict[str, calls.TableRoom] = {}
        self._hidden: list[int] = []
        self._numbers = {table.name: table.number for table in self._transaction.catalog.user_tables()}

    def make(self, wanted: list[calls.ImportedTable]) -> calls.ImportRoom:
        cleared: list[str] = []
        if self._mode == "replaceAll":
            cleared = sorted(set(self._numbers) - {each.name for each in wanted})
        swapped: list[calls.ImportedTable] = []
        for each in wanted:
            if self._is_added_to(each.name, each.number):
                info = self._transaction.catalog.by_name[each.name]
                self._places[each.name] = calls.TableRoom(info.number, info.tablet, [], insert=True)
            else:
                swapped.append(each)
        cleared += self._in_the_way(swapped, cleared)
        # Numbers that are given come first, so that no fresh one takes them.
        for each in sorted(swapped, key=lambda each: each.number is None):
            self._make_hidden(each.name, each.number)
        for name in cleared:
            number = self._numbers[name]
            others = {taken for other, taken in self._numbers.items() if other != name}
            self._make_hidden(name, -1 if number in others else None)
        tables = {each.name: self._places[each.name] for each in wanted}
        return calls.ImportRoom(tables, cleared, self._numbers, self._hidden)

    def _is_added_to(self, name: str, number: int | None) -> bool:
        check_table_name(name)
        info = self._transaction.catalog.by_name.get(name)
        empty = info is None or is_empty(self._transaction, name)
        if self._mode == "requireEmpty" and not empty:
            raise Error(f'the table "{name}" is not empty: append to it, or replace it', code="TableNotEmpty")
        if self._mode != "append" or info is None:
            return False
        if number in (None, info.number):
            return True
        if empty:
            return False
        raise Error(
            f'ids of the file are of table number {number}, "{name}" has {info.number} and is not empty: '
            "replace it, or leave out `_id`",
            code="TableNumberConflict",
        )

    def _in_the_way(self, swapped: list[calls.ImportedTable], cleared: list[str]) -> list[str]:
        """Return tables that lose their number to an imported one; only empty ones may."""
        replaced = {each.name for each in swapped} | set(cleared)
        by_number = {number: name for name, number in self._numbers.items()}
        found: list[str] = []
        given: set[int] = set()
        for each in swapped:
            number = each.number
            if number is None:
                continue
            if number <= 10_000 or number in given:
                raise Error(
                    f"table number {number} cannot be that of {each.name!r}", code="TableNumberConflict"
                )
            given.add(number)
            holder = by_number.get(number)
            if holder is None or holder in replaced:
                continue
            if not is_empty(self._transaction, holder):
                raise Error(
                    f'ids of "{each.name}" have table number {number}, which is that of "{holder}" here; '
                    "replace all tables, or import into a deployment without it",
                    code="TableNumberConflict",
                )
            found.append(holder)
        # A replaced table without a number of its own keeps the one it has, unless another one gets that.
        for each in swapped:
            if each.number is None and self._numbers.get(each.name) in given:
                each.number = -1
        return found

    def _make_hidden(self, name: str, number: int | None) -> None:
        """`number`: None keeps the table's own if there is one, -1 asks for a fresh one."""
        transaction = self._transaction
        old = transaction.catalog.by_name.get(name)
        table, by_creation_time = new_table_documents(transaction.catalog, name, state="hidden")
        if number is None and old is not None:
            number = old.number
        table["number"] = table["tablet"] if number in (None, -1) else number
        transaction.system_insert("_tables", {**table, "import": self._id})
        transaction.system_insert("_index", by_creation_time)
        indexes: list[list[str]] = [[]]
        for index in old.indexes if old is not None else ():
            if index.name == "by_creation_time":
                continue
            document = new_index_document(
                transaction.catalog,
                table["tablet"],
                index.name,
                index.fields,
                state="ready",
                staged=index.staged,
            )
            transaction.system_insert("_index", document)
            indexes.append(list(index.fields))
        self._hidden.append(table["tablet"])
        self._numbers[name] = int(table["number"])
        self._places[name] = calls.TableRoom(table["number"], table["tablet"], indexes, insert=False)


def is_empty(transaction: Any, name: str) -> bool:
    """Say whether a table has no documents."""
    return transaction.first(QueryPlan(name)) is None


# Filling


def _prepared(context: CallContext, name: str) -> Path:
    """Return a file in the folder of imports, and only there."""
    if not _NAME.fullmatch(name):
        raise Error("no file of an import", code="ImportInvalid")
    return Path(context.settings.data_folder) / "transfers" / "imports" / name


def _batch(
    context: CallContext, call: calls.FillTablet | calls.AppendToTable
) -> list[tuple[str, bytes, list[bytes]]]:
    """Read a prepared batch."""
    with _prepared(context, call.file).open("rb") as file:
        file.seek(call.offset)
        data = file.read(call.length)
    return msgspec.msgpack.decode(data, type=list[tuple[str, bytes, list[bytes]]])


@handles(calls.FillTablet)
def fill(context: CallContext, call: calls.FillTablet) -> None:
    context.transaction.fill(call.tablet, _batch(context, call))


@handles(calls.AppendToTable)
def insert(context: CallContext, call: calls.AppendToTable) -> None:
    transaction = context.transaction
    with transaction.engine():
        for _, stored, _ in _batch(context, call):
            transaction.restore(call.table, decode_document(stored))


# The end


@handles(calls.SwapTables)
def swap(context: CallContext, call: calls.SwapTables) -> None:
    transaction = context.transaction
    _check_schema(context, call.schema)
    tables = transaction.catalog.by_tablet
    hidden = [tables[tablet] for tablet in call.tables if tablet in tables]
    if len(hidden) != len(call.tables) or any(table.state != "hidden" for table in hidden):
        raise Error("the tables that were filled are not there any more", code="ImportLost")
    for table in hidden:
        old = transaction.catalog.by_name.get(table.name)
        if old is not None:
            _give_way(context, old, table, must_be_empty=call.mode == "requireEmpty")
    for table in hidden:
        taken = transaction.catalog.by_number.get(table.number)
        if taken is not None:
            raise Error(
                f"{taken.name!r} has got the number of {table.name!r} meanwhile", code="TableNumberConflict"
            )
        transaction.system_patch("_tables", table.id, {"state": "active", "import": UNSET})
    if call.files is not None:
        with transaction.engine():
            _settle_files(context, call.files, call.mode)
    transaction.system_patch(TABLE, call.id, {"state": call.done, "progress": UNSET})


def _check_schema(context: CallContext, expected: str) -> None:
    versions = context.transaction.stream(QueryPlan("_versions", system=True))
    active = next((found["schema"] for found in versions if found["state"] == "active"), "")
    if active != expected:
        raise Error(
            "another schema was pushed while the import was under way: import again", code="SchemaChanged"
        )


def _shape(table: TableInfo) -> set[tuple[Any, ...]]:
    return {(index.name, index.fields, index.staged) for index in table.indexes}


def _give_way(context: CallContext, old: TableInfo, new: TableInfo, *, must_be_empty: bool) -> None:
    transaction = context.transaction
    if must_be_empty and not is_empty(transaction, old.name):
        raise Error(
            f'documents were written to "{old.name}" while the import was under way', code="TableNotEmpty"
        )
    if _shape(old) != _shape(new):
        raise Error(f'the indexes of "{old.name}" have changed meanwhile: import again', code="SchemaChanged")
    transaction.system_patch("_tables", old.id, {"state": "deleting"})
    for index in old.indexes:
        transaction.system_patch("_index", index.id, {"state": "deleting"})


def _settle_files(context: CallContext, name: str, mode: str) -> None:
    """Make the documents of imported files; what else there was goes when tables are replaced."""
    transaction = context.transaction
    wanted = [msgspec.json.decode(line) for line in _prepared(context, name).read_bytes().splitlines()]
    known = list(transaction.stream(QueryPlan(files.FILES, system=True), limit=FILES_AT_ONCE + 1))
    if len(known) + len(wanted) > FILES_AT_ONCE:
        raise Error(f"more than {FILES_AT_ONCE} files cannot be exchanged at once", code="LimitExceeded")
    ids = {file["id"] for file in wanted}
    there = {document["_id"] for document in known}
    if mode == "requireEmpty" and there - ids:
        raise Error("there are stored files already: append, or replace them", code="TableNotEmpty")
    if mode in ("replace", "replaceAll"):
        for id in there - ids:
            files.delete_file(transaction, id, context.now_ms)
    for file in wanted:
        if file["id"] not in there:
            _restore_file(context, file)


def _restore_file(context: CallContext, file: dict[str, Any]) -> None:
    transaction = context.transaction
    document: dict[str, Any] = {
        "_id": file["id"],
        "_creationTime": canonical_number(float(file["creationTime"])),
        "sha256": file["sha256"],
        "size": file["size"],
    }
    if file["contentType"] is not None:
        document["contentType"] = file["contentType"]
    if file["uuid"] is None:
        raise Error(f"the file {file['id']} was deleted while the import was under way", code="ImportLost")
    transaction.restore(files.FILES, document)
    transaction.system_insert(files.BLOBS, {"storageId": file["id"], "uuid": file["uuid"]})


@handles(calls.AbortImport)
def abort(context: CallContext, call: calls.AbortImport) -> bool:
    found = context.transaction.get(call.id, TABLE, system=True)
    if found is not None and found["state"]["state"] in UNFINISHED:
        context.transaction.system_patch(TABLE, call.id, {**call.fields, "progress": UNSET})
    return _drop_hidden(context, {call.id})


def _drop_hidden(context: CallContext, imports: set[str]) -> bool:
    transaction = context.transaction
    found = False
    for document in list(transaction.stream(QueryPlan("_tables", system=True))):
        if document["state"] != "hidden" or document.get("import") not in imports:
            continue
        found = True
        transaction.system_patch("_tables", document["_id"], {"state": "deleting", "import": UNSET})
        for index in transaction.catalog.by_tablet[int(document["tablet"])].indexes:
            transaction.system_patch("_index", index.id, {"state": "deleting"})
    return found


@handles(calls.FailInterruptedImports)
def interrupted(context: CallContext, call: calls.FailInterruptedImports) -> bool:
    failed = {"state": {"state": "failed", "error_message": "the server was restarted; nothing was imported"}}
    for found in _newest_first(context, KEPT):
        if found["state"]["state"] in UNFINISHED:
            context.transaction.system_patch(TABLE, found["_id"], {**failed, "progress": UNSET})
    documents = list(context.transaction.stream(QueryPlan("_tables", system=True)))
    _drop_hidden(context, {document.get("import", "") for document in documents} - {""})
    return any(document["state"] in ("hidden", "deleting") for document in documents)
