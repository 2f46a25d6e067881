"""One transaction: the reads and writes of a query or a mutation against one state of the data.

A sub-transaction is `push` … `merge` or `drop`. Nothing here is durable or visible to others: `write_set`
hands over what was written, the store accepts it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from math import inf, nextafter
from typing import Any, NamedTuple

from convexpy.database._entries import Keys, Replay, TransactionRecord, WriteSet, encode_write_set
from convexpy.database._own_writes import OwnDocument
from convexpy.database._reading import Reading
from convexpy.database._snapshot import ALL, DocumentSchema, Snapshot
from convexpy.database._system_tables import INDEX, TABLES
from convexpy.database._tables import check_table_name, new_table_documents
from convexpy.database.catalog import DELETED, Catalog, TableInfo
from convexpy.errors import ArgumentError, DocumentNotFound, InvariantViolation, SchemaViolation
from convexpy.limits import DOCUMENT_NESTING_MAX, DOCUMENT_SIZE_BYTES_MAX, TransactionBudget
from convexpy.runtime import RandomBytes
from convexpy.values import (
    UNSET,
    canonical_number,
    check_document_limits,
    decode_document,
    decode_id,
    encode_document,
    encode_id,
    new_internal_id,
)

SYSTEM_FIELDS = ("_id", "_creationTime")
# A value takes at most nine bytes where its JSON takes two, so most documents need not be walked to know their size.
SURELY_SMALL_BYTES = DOCUMENT_SIZE_BYTES_MAX // 5
SURELY_FLAT = DOCUMENT_NESTING_MAX


class SchemaMismatch(NamedTuple):
    """A document written that does not fit the pending schema: it fails the push, not the write."""

    table: str
    id: str
    message: str


class _Frame(NamedTuple):
    """What `drop` goes back to."""

    mark: int
    catalog: Catalog
    limits: dict[str, int]
    written: tuple[int, int, int, int]
    violations: int


class Transaction(Reading):
    """Reading and writing documents. Made by `Store.begin`; not for several threads.

    Attributes that the caller may set: `schema` and `pending_schema` (checked on each write), `journal_in`,
    `is_privileged` (all system tables may be read), `function` (the path of the running function: its cursors are its own).
    """

    pending_schema: DocumentSchema | None = None

    def __init__(
        self, store: Snapshot, writable: bool, now_ms: float, budget: TransactionBudget, random: RandomBytes
    ) -> None:
        super().__init__(store, budget)
        self.violations: list[SchemaMismatch] = []
        self._writable = writable
        self._now_ms = now_ms
        self._random = random
        self._frames: list[_Frame] = []
        self._last_creation_time = store.last_creation_time

    # Writing

    def insert(self, table: str, value: dict[str, Any]) -> str:
        """Add a document, and the table if it is new; return its id.

        Raises:
            SchemaViolation: it does not fit the schema.
            ArgumentError: a field may not be set, or the table's name may not be used.
        """
        info = self._table_to_write(table)
        return self._insert(info, value)

    def patch(self, id: str, table: str | None, value: dict[str, Any]) -> None:
        """Merge fields into a document; a value UNSET removes its field.

        Raises:
            DocumentNotFound: there is none.
            SchemaViolation: the result does not fit the schema.
        """
        self._change(self._owner_to_write(id, table, "db.patch"), id, value, "Update")

    def replace(self, id: str, table: str | None, value: dict[str, Any]) -> None:
        """Set all fields of a document but the system fields.

        Raises:
            DocumentNotFound: there is none.
            SchemaViolation: the result does not fit the schema.
        """
        self._change(self._owner_to_write(id, table, "db.replace"), id, value, "Replace")

    def delete(self, id: str, table: str | None = None) -> None:
        """Remove a document.

        Raises:
            DocumentNotFound: there is none.
        """
        self._delete(self._owner_to_write(id, table, "db.delete"), id)

    # System tables, for the engine itself

    @contextmanager
    def engine(self) -> Generator[None]:
        """Let the engine read and write for itself: every system table is open, and nothing is counted."""
        privileged, self.is_privileged = self.is_privileged, True
        counted = self.charges.pause()
        try:
            yield
        finally:
            self.charges.resume(counted)
            self.is_privileged: bool = privileged

    def system_insert(self, table: str, value: dict[str, Any]) -> str:
        """Add a document to a system table; return its id."""
        return self._insert(self._system_table(table), value)

    def system_patch(self, table: str, id: str, value: dict[str, Any]) -> None:
        """Merge fields into a document of a system table; a value UNSET removes its field."""
        self._change(self._system_table(table), id, value, "Update")

    def system_replace(self, table: str, id: str, value: dict[str, Any]) -> None:
        """Set all fields of a document of a system table."""
        self._change(self._system_table(table), id, value, "Replace")

    def system_delete(self, table: str, id: str) -> None:
        """Remove a document of a system table."""
        self._delete(self._system_table(table), id)

    # Imports

    def restore(self, table: str, document: dict[str, Any]) -> None:
        """Add a document with the id and the creation time that it comes with; its table must exist.

        Raises:
            ArgumentError: there is a document of this id, or it is not of this table.
            SchemaViolation: it does not fit the schema.
        """
        self._check_writable()
        info, id = self.catalog.by_name[table], document["_id"]
        decoded = decode_id(id)
        if decoded is None or decoded[0] != info.number:
            raise ArgumentError(f"{id} is not a valid id of the table {table!r}", code="InvalidId")
        if self._read(info.tablet, id) is not None:
            raise ArgumentError(f"there is a document {id} in {table!r} already", code="DocumentExists")
        self._put(info, id, document, None, info.keys(document))

    def fill(self, tablet: int, rows: Iterable[tuple[str, bytes, list[bytes]]]) -> None:
        """Lay `(id, stored document, keys)` into a hidden tablet; keys in the order of its indexes.

        Nobody reads it yet, and who prepared the rows has checked them, so this does neither.
        """
        self._check_writable()
        info = self.catalog.by_tablet.get(tablet)
        if info is None or info.state != "hidden":
            raise ArgumentError(f"there is no hidden tablet {tablet}", code="ImportLost")
        documents = self._own.documents.setdefault(tablet, {})
        numbers = info.index_numbers
        for id, document, keys in rows:
            own = [(number, key, key) for number, key in zip(numbers, keys, strict=True)]
            documents[id] = OwnDocument(document, None, own)

    # Sub-transactions

    def push(self, limits: Mapping[str, int] | None = None) -> None:
        """Begin a sub-transaction, which may use only so much more of each limit named."""
        charges = self.charges
        written = (
            charges.documents_written,
            charges.bytes_written,
            charges.functions_scheduled,
            charges.scheduled_function_args_bytes,
        )
        before = charges.tighten(limits)
        self._frames.append(_Frame(self._own.mark(), self.catalog, before, written, len(self.violations)))

    def merge(self) -> None:
        """Keep what the innermost sub-transaction wrote."""
        self.charges.restore(self._frames.pop().limits)

    def drop(self) -> None:
        """Undo what the innermost sub-transaction wrote.

        Its reads stay: the caller may act on what it learnt.
        """
        mark, self.catalog, limits, written, violations = self._frames.pop()
        self._own.undo(mark)
        charges = self.charges
        charges.restore(limits)
        charges.documents_written, charges.bytes_written, *scheduled = written
        charges.functions_scheduled, charges.scheduled_function_args_bytes = scheduled
        del self.violations[violations:]

    def changes(self) -> list[dict[str, Any]]:
        """Return what was written so far, for people: `{table, id, kind, document}`; kinds are insert, change and delete."""
        found: list[dict[str, Any]] = []
        for tablet, documents in self._own.documents.items():
            name = self.catalog.by_tablet[tablet].name
            for id, own in documents.items():
                if own.before is None and own.document is None:
                    continue
                kind = "insert" if own.before is None else "delete" if own.document is None else "change"
                document = None if own.document is None else decode_document(own.document)
                found.append({"table": name, "id": id, "kind": kind, "document": document})
        return [change for change in found if not self.catalog.by_name[change["table"]].is_system]

    # The end

    def write_set(self, operation_id: str, function: str, replay: Replay | None = None) -> WriteSet | None:
        """Return what was written, with the replay record; None when there is neither."""
        if self._frames:
            raise InvariantViolation(f"{function}: a sub-transaction is still open")
        writes = list(self._own.writes())
        if not writes and replay is None:
            return None
        record = TransactionRecord(operation_id, function, writes, replay)
        return encode_write_set(record, max_creation_time=self._last_creation_time)

    def check_running(self) -> None:
        """Do nothing: the call runs. For what needs no document, but a call."""

    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return `(used, limit)` for each limit."""
        return self.charges.as_mapping()

    # Steps

    def _system_table(self, name: str) -> TableInfo:
        info = self.catalog.by_name.get(name)
        if info is None or not info.is_system:
            raise InvariantViolation(f"no system table {name!r}")
        return info

    def _owner_to_write(self, id: str, table: str | None, method: str) -> TableInfo:
        info = self._table_of(id, table, method, system=False)
        if info is None:
            verb = {"db.patch": "Update", "db.replace": "Replace", "db.delete": "Delete"}[method]
            raise DocumentNotFound(f"{verb} on nonexistent document ID {id}", code="NonexistentDocument")
        return info

    def _table_to_write(self, name: str) -> TableInfo:
        info = self.catalog.by_name.get(name)
        if info is None or info.is_system:
            check_table_name(name)
            self._create_table(name)
            info = self.catalog.by_name[name]
        return info

    def _create_table(self, name: str) -> None:
        self.read_set.add(-TABLES, b"", ALL)
        table, index = new_table_documents(self.catalog, name)
        self.system_insert("_tables", table)
        self.system_insert("_index", index)

    def _insert(self, info: TableInfo, value: dict[str, Any]) -> str:
        self._check_writable()
        self._check_fields(value, None)
        time: float = self._now_ms
        if time <= self._last_creation_time:
            time = canonical_number(nextafter(self._last_creation_time, inf))
        self._last_creation_time = time
        id = encode_id(info.number, new_internal_id(self._random, self._now_ms))
        document = {**value, "_id": id, "_creationTime": time}
        self._put(info, id, document, None, info.keys(document))
        return id

    def _change(self, info: TableInfo, id: str, value: dict[str, Any], verb: str) -> None:
        """Patch or replace a document."""
        now, old = self._present(info, id, verb)
        if verb == "Update":
            new = {**old, **value}
            if UNSET in value.values():
                new = {name: kept for name, kept in new.items() if kept is not UNSET}
        else:
            new = {**value, "_id": old["_id"], "_creationTime": old["_creationTime"]}
        self._check_fields(value, old)
        keys = now.keys
        assert keys is not None  # the document exists
        changed: Iterable[str] = value if verb == "Update" else {*old, *value}
        if not (info.indexed_fields.isdisjoint(changed) and info.are_of_all_indexes(keys)):
            keys = info.keys(new)
        self._put(info, id, new, now, keys)

    def _delete(self, info: TableInfo, id: str) -> None:
        if info.tablet <= INDEX and self.catalog.holds_highest_number(info.tablet, id):
            self._change(info, id, {"state": DELETED}, "Update")
            return
        now, _ = self._present(info, id, "Delete")
        self.charges.write(0)
        self._own.put(info.tablet, id, OwnDocument(None, now.before, None, now.stored), now.keys)
        if info.tablet <= INDEX:
            self.catalog = self.catalog.with_document(info.tablet, id, None)

    def _present(self, info: TableInfo, id: str, verb: str) -> tuple[OwnDocument, dict[str, Any]]:
        """Read a document that is to be written: as this transaction would have it, and decoded.

        Raises:
            DocumentNotFound: there is none.
        """
        self._check_writable()
        tablet = info.tablet
        self.read_set.points.add((tablet, id))
        own = self._own_document(tablet, id)
        stored, keys = (own.document, own.keys) if own is not None else self._store.get(tablet, id)
        if stored is None:
            self.charges.read(0)
            raise DocumentNotFound(f"{verb} on nonexistent document ID {id}", code="NonexistentDocument")
        self.charges.read(len(stored))
        document = decode_document(stored)
        if own is None:
            assert keys is not None  # of a document in the store
            if not info.are_of_all_indexes(keys):
                # From the checkpoint, or written before one of the indexes was made: that has its key by now.
                keys = info.keys(document)
            # The same list for before and now says that no key has changed.
            own = OwnDocument(stored, keys, keys, stored)
        return own, document

    def _put(
        self, info: TableInfo, id: str, document: dict[str, Any], now: OwnDocument | None, keys: Keys
    ) -> None:
        """Check a document and lay it, with its keys, over what is there `now`."""
        tablet = info.tablet
        encoded = encode_document(document)
        if not info.is_system:
            if len(encoded) > SURELY_SMALL_BYTES or encoded.count(b"{") + encoded.count(b"[") > SURELY_FLAT:
                check_document_limits(document)
            if self.schema is not None:
                self.schema.check_document(info.name, document, self.table_number)
            if self.pending_schema is not None:
                self._check_pending(self.pending_schema, info.name, id, document)
        self.charges.write(len(encoded))
        if now is None:
            self._own.put(tablet, id, OwnDocument(encoded, None, keys), None)
        else:
            self._own.put(tablet, id, OwnDocument(encoded, now.before, keys, now.stored), now.keys)
        if tablet <= INDEX:
            self.catalog: Catalog = self.catalog.with_document(tablet, id, document)

    @staticmethod
    def _check_fields(value: dict[str, Any], old: dict[str, Any] | None) -> None:
        """Refuse system fields, unless they say what they are anyway."""
        for name in value:
            if name and name[0] != "_":
                continue
            if not name:
                raise ArgumentError("Field names of a document cannot be empty")
            if old is None or name not in SYSTEM_FIELDS:
                raise ArgumentError(
                    f"Field name {name} starts with '_', which is only allowed for system fields like '_id'."
                )
            if value[name] != old[name]:
                raise ArgumentError(
                    f"Provided document `{name}` value {value[name]!r} does not match '{old[name]}'"
                )

    def _check_pending(self, schema: DocumentSchema, table: str, id: str, document: dict[str, Any]) -> None:
        try:
            schema.check_document(table, document, self.table_number)
        except SchemaViolation as error:
            self.violations.append(SchemaMismatch(table, id, str(error)))

    def _check_writable(self) -> None:
        if not self._writable:
            raise ArgumentError("a query cannot write to the database; use a mutation", code="ReadOnly")
