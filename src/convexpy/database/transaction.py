"""One transaction: the reads and writes of a query or a mutation against one state of the data.

A sub-transaction is `push` … `merge` or `drop`. Nothing here is durable or visible to others: `write_set`
hands over what was written, the store accepts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import nextafter
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from convexpy.database._entries import Replay, TransactionRecord, WriteSet, encode_write_set
from convexpy.database._index_ranges import find_index, key_range
from convexpy.database._own_writes import OwnDocument, OwnWrites
from convexpy.database._pages import Journal
from convexpy.database._paginate import paginate
from convexpy.database._scan import Scan
from convexpy.database._system_tables import APP_VISIBLE, INDEX, TABLES
from convexpy.database._tables import check_table_name, new_table_documents
from convexpy.database._usage import Usage
from convexpy.database.catalog import DELETED, Catalog, TableInfo
from convexpy.database.read_set import ReadSet
from convexpy.errors import ArgumentError, DocumentNotFound, InvariantViolation, NotUnique, SchemaViolation
from convexpy.functions._host import QueryPlan
from convexpy.limits import DOCUMENT_NESTING_MAX, DOCUMENT_SIZE_BYTES_MAX, TransactionBudget
from convexpy.values import (
    UNSET,
    check_document_limits,
    decode_document,
    decode_id,
    encode_document,
    encode_id,
    new_internal_id,
)

if TYPE_CHECKING:
    from convexpy.database.store import Store

__all__ = ["DocumentSchema", "Misfit", "Transaction"]

ALL = b"\xff"
SYSTEM_FIELDS = ("_id", "_creationTime")
# A value takes at most nine bytes where its JSON takes two, so most documents need not be walked to know their size.
SURELY_SMALL_BYTES = DOCUMENT_SIZE_BYTES_MAX // 5
SURELY_FLAT = DOCUMENT_NESTING_MAX


class DocumentSchema(Protocol):
    """What a transaction needs of a schema."""

    def check_document(
        self, table: str, document: dict[str, Any], tables: Callable[[str], int | None], /
    ) -> None:
        """Raise SchemaViolation when the document does not fit its table."""
        ...


class Misfit(NamedTuple):
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
    misfits: int


class Transaction:
    """Reading and writing documents. Made by `Store.begin`; not for several threads.

    Attributes that the caller may set: `schema` and `pending_schema` (checked on each write), `journal_in`,
    `is_privileged` (all system tables may be read).
    """

    def __init__(
        self, store: Store, *, writable: bool, now_ms: int, budget: TransactionBudget, random: Random
    ) -> None:
        self.read_set = ReadSet()
        self.schema: DocumentSchema | None = None
        self.pending_schema: DocumentSchema | None = None
        self.misfits: list[Misfit] = []
        self.is_privileged = False
        self.catalog = store.catalog
        self.charges = Usage(budget)
        self._store = store
        self._writable = writable
        self._now_ms = now_ms
        self._random = random
        self._own = OwnWrites()
        self._frames: list[_Frame] = []
        self._last_creation_time = store.last_creation_time
        self._journal = Journal()
        self._journal_text: str | None = None

    # Reading

    def get(self, id: str, table: str | None = None, *, system: bool = False) -> dict[str, Any] | None:
        """Return a fresh copy of a document, or None.

        Raises:
            ArgumentError: the id is none, is of another table, or of a system table (with `system`: of a
            user table).
        """
        self.charges.query()
        info = self._table_of(id, table, "db.system.get" if system else "db.get", system=system)
        if info is None:
            return None
        document = self._read(info.tablet, id)
        return decode_document(document) if document is not None else None

    def stream(self, plan: QueryPlan, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield fresh documents in order, filters applied, at most `limit`.

        What is not asked for is not read.
        """
        if limit == 1 and not plan.filters:
            document = self.first(plan)
            return iter(() if document is None else (document,))
        return self._stream(plan, limit)

    def _stream(self, plan: QueryPlan, limit: int | None) -> Iterator[dict[str, Any]]:
        scan = self._scan(plan, limit=None if plan.filters else limit)
        if scan is None:
            return
        left = limit if limit is not None else -1
        while left != 0:
            item = scan.next()
            if item is None:
                return
            document = decode_document(item[2])
            if plan.filters and not all(predicate(document) for predicate in plan.filters):
                continue
            left -= 1
            yield document

    def first(self, plan: QueryPlan) -> dict[str, Any] | None:
        """Return the first document, or None."""
        if plan.filters:
            return next(self._stream(plan, 1), None)
        prepared = self.prepare(plan)
        if prepared is None:
            return None
        tablet, index, lower, upper = prepared
        desc = plan.order == "desc"
        if index in self._own.keys:
            item = self.scan(tablet, index, lower, upper, desc=desc, limit=1).next()
            return decode_document(item[2]) if item is not None else None
        return self._first_below(tablet, index, lower, upper, desc=desc)

    def _first_below(
        self, tablet: int, index: int, lower: bytes, upper: bytes, *, desc: bool
    ) -> dict[str, Any] | None:
        """Return the first document of a range in which no key was written by this transaction."""
        items, rest = self._store.chunk(index, tablet, lower, upper, desc=desc, limit=1)
        while not items and rest is not None:
            left, right = (lower, rest) if desc else (rest, upper)
            items, rest = self._store.chunk(index, tablet, left, right, desc=desc, limit=16)
        if not items:
            self.read_set.add(index, lower, upper)
            return None
        key, id, document = items[0]
        if desc:
            self.read_set.add(index, key, upper)
        else:
            self.read_set.add(index, lower, key + b"\0")
        own = self._own_document(tablet, id)
        if own is not None and own.document is not None:
            document = own.document
        self.charges.read(len(document))
        return decode_document(document)

    def unique(self, plan: QueryPlan) -> dict[str, Any] | None:
        """Return the one document, or None.

        Raises:
            NotUnique: there are more; the message names two.
        """
        found = list(self.stream(plan, limit=2))
        if len(found) > 1:
            raise NotUnique(
                f"unique() query returned more than one result from table {plan.table}:\n"
                f" [{found[0]['_id']}, {found[1]['_id']}, ...]"
            )
        return found[0] if found else None

    def count(self, plan: QueryPlan) -> int:
        """Return the number of documents; linear in it, but nothing is decoded unless there are filters."""
        if plan.filters:
            return sum(1 for _ in self.stream(plan))
        scan = self._scan(plan)
        total = 0
        while scan is not None and scan.next() is not None:
            total += 1
        return total

    def paginate(self, plan: QueryPlan, opts: Mapping[str, Any]) -> dict[str, Any]:
        """Return `page isDone continueCursor splitCursor pageStatus`.

        Raises:
            InvalidCursor: the cursor is of another query.
            ArgumentError: the options make no sense.
        """
        return paginate(self, plan, opts, self._journal, self._store.cursor_key)

    def normalize_id(self, table: str, text: str, *, system: bool = False) -> str | None:
        """Return the text if it is an id of the table, else None."""
        info = self.table(table)
        decoded = decode_id(text)
        if info is None or decoded is None or info.is_system != system:
            return None
        return text if decoded[0] == info.number else None

    @property
    def journal_in(self) -> str | None:
        """The journal of an earlier run, to be set before the run."""
        return self._journal_text

    @journal_in.setter
    def journal_in(self, text: str | None) -> None:
        self._journal_text = text
        self._journal = Journal(text)

    @property
    def journal_out(self) -> str | None:
        """The journal for the next run of the same call; None if it paginated nothing."""
        return self._journal.text()

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
        self._frames.append(_Frame(self._own.mark(), self.catalog, before, written, len(self.misfits)))

    def merge(self) -> None:
        """Keep what the innermost sub-transaction wrote."""
        self.charges.restore(self._frames.pop().limits)

    def drop(self) -> None:
        """Undo what the innermost sub-transaction wrote.

        Its reads stay: the caller may act on what it learnt.
        """
        mark, self.catalog, limits, written, misfits = self._frames.pop()
        self._own.undo(mark)
        charges = self.charges
        charges.restore(limits)
        charges.documents_written, charges.bytes_written, *scheduled = written
        charges.functions_scheduled, charges.scheduled_function_args_bytes = scheduled
        del self.misfits[misfits:]

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

    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return `(used, limit)` for each limit."""
        return self.charges.as_mapping()

    # Tables

    def table(self, name: str) -> TableInfo | None:
        """Return a table by name; that there is none is a read too: creating it re-runs the query."""
        info = self.catalog.by_name.get(name)
        if info is None:
            self.read_set.add(-TABLES, b"", ALL)
        return info

    def table_number(self, name: str) -> int | None:
        """Return the number of a table: what `v.id` checks against."""
        info = self.table(name)
        return info.number if info is not None else None

    def _table_of(self, id: str, table: str | None, method: str, *, system: bool) -> TableInfo | None:
        """Return the table of an id, checked; None when no table has its number."""
        decoded = decode_id(id)
        info = self.catalog.by_number.get(decoded[0]) if decoded is not None else None
        if info is not None and not (system or info.is_system) and (table is None or table == info.name):
            return info
        if decoded is None:
            raise ArgumentError(
                f"Invalid argument `id` for `{method}`: Unable to decode ID: {id!r}", code="InvalidId"
            )
        if info is None:
            self.read_set.add(-TABLES, b"", ALL)
        if table is not None and (info is None or info.name != table):
            actual = info.name if info is not None else "unknown"
            raise ArgumentError(
                f"Invalid argument `id` for `{method}`, expected ID for table `{table}`, "
                f"got an ID of table `{actual}` instead: {id}",
                code="InvalidId",
            )
        if info is not None and info.is_system != system:
            raise self._wrong_side(info, method)
        if system and info is not None:
            self._check_visible(info.name)
        return info

    def _wrong_side(self, info: TableInfo, method: str) -> ArgumentError:
        if info.is_system:
            advice = "System tables can only be read, with `ctx.db.system`"
        else:
            advice = "`ctx.db.system` only reads system tables, use `ctx.db`"
        return ArgumentError(
            f"Invalid argument `id` for `{method}`: the ID is of table `{info.name}`. {advice}.",
            code="WrongTableKind",
        )

    def _check_visible(self, table: str) -> None:
        if table not in APP_VISIBLE and not self.is_privileged:
            raise ArgumentError(
                f"System table `{table}` cannot be read by functions; "
                f"only {', '.join(sorted(APP_VISIBLE))} can"
            )

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

    # Documents

    def _read(self, tablet: int, id: str) -> bytes | None:
        """Return a document as this transaction sees it; a point of the read set."""
        self.read_set.points.add((tablet, id))
        own = self._own.documents.get(tablet)
        found = own.get(id) if own is not None else None
        document = found.document if found is not None else self._store.get(tablet, id)
        self.charges.read(len(document) if document is not None else 0)
        return document

    def _scan(self, plan: QueryPlan, *, limit: int | None = None) -> Scan | None:
        """Start reading a plan; None when its table does not exist."""
        prepared = self.prepare(plan)
        if prepared is None:
            return None
        tablet, index, lower, upper = prepared
        return self.scan(tablet, index, lower, upper, desc=plan.order == "desc", limit=limit)

    def prepare(self, plan: QueryPlan) -> tuple[int, int, bytes, bytes] | None:
        """Count a query and return `(tablet, index number, lower, upper)`.

        None when its table does not exist.
        """
        self.charges.query()
        if plan.search is not None:
            raise ArgumentError(f"Index {plan.table}.{plan.index} is not a search index.")
        info = self.table(plan.table)
        if plan.table.startswith("_") != plan.system:
            side = "`ctx.db.system.query`" if plan.table.startswith("_") else "`ctx.db.query`"
            raise ArgumentError(f"Table `{plan.table}` is read with {side}.", code="WrongTableKind")
        if plan.system:
            self._check_visible(plan.table)
        name = plan.index or "by_creation_time"
        if info is None:
            if name not in ("by_id", "by_creation_time"):
                raise ArgumentError(f"Index {plan.table}.{name} not found.", code="IndexNotFoundError")
            return None
        if name == "by_id":
            return (info.tablet, -info.tablet, *key_range(plan, ()))
        index = find_index(info, name)
        return (info.tablet, index.number, *key_range(plan, index.fields))

    def scan(
        self, tablet: int, index: int, lower: bytes, upper: bytes, *, desc: bool, limit: int | None = None
    ) -> Scan:
        """Start reading a range of an index; the read set grows as it goes on."""
        start = upper if desc else lower
        return Scan(
            self._store,
            self._own,
            self.charges,
            self.read_set.add(index, start, start),
            tablet=tablet,
            lower=lower,
            upper=upper,
            desc=desc,
            limit=limit,
        )

    def _insert(self, info: TableInfo, value: dict[str, Any]) -> str:
        self._check_writable()
        self._check_fields(value, None)
        time = max(float(self._now_ms), nextafter(self._last_creation_time, float("inf")))
        self._last_creation_time = time
        id = encode_id(info.number, new_internal_id(self._random, self._now_ms))
        document = {**value, "_id": id, "_creationTime": time}
        self._put(info, id, document, before=None, current=None, keys=info.keys(document))
        return id

    def _change(self, info: TableInfo, id: str, value: dict[str, Any], verb: str) -> None:
        """Patch or replace a document."""
        self._check_writable()
        stored = self._read(info.tablet, id)
        if stored is None:
            raise DocumentNotFound(f"{verb} on nonexistent document ID {id}", code="NonexistentDocument")
        old = decode_document(stored)
        if verb == "Update":
            new = {**old, **value}
            if UNSET in value.values():
                new = {name: kept for name, kept in new.items() if kept is not UNSET}
        else:
            new = {**value, "_id": old["_id"], "_creationTime": old["_creationTime"]}
        self._check_fields(value, old)
        own = self._own_document(info.tablet, id)
        current = own.keys if own is not None and own.keys is not None else self._store.keys_of(info, id, old)
        before = own.before if own is not None else current
        if verb == "Update":
            suffix = None
            keys: dict[int, bytes] = {}
            for index in info.indexes:
                known = current.get(index.number)
                if known is not None and index.top_fields.isdisjoint(value):
                    keys[index.number] = known
                else:
                    suffix = suffix or info.key_suffix(new)
                    keys[index.number] = index.key(new, suffix)
        else:
            keys = info.keys(new)
        self._put(info, id, new, before=before, current=current, keys=keys)

    def _delete(self, info: TableInfo, id: str) -> None:
        self._check_writable()
        stored = self._read(info.tablet, id)
        if stored is not None and info.tablet <= INDEX and self.catalog.holds_highest_number(info.tablet, id):
            self._change(info, id, {"state": DELETED}, "Update")
            return
        if stored is None:
            raise DocumentNotFound(f"Delete on nonexistent document ID {id}", code="NonexistentDocument")
        own = self._own_document(info.tablet, id)
        if own is not None and own.keys is not None:
            current = own.keys
        else:
            current = self._store.keys_of(info, id, decode_document(stored))
        self.charges.write(0)
        before = own.before if own is not None else current
        self._own.put(info.tablet, id, OwnDocument(None, before, None), current)
        if info.tablet <= INDEX:
            self.catalog = self.catalog.with_document(info.tablet, id, None)

    def _own_document(self, tablet: int, id: str) -> OwnDocument | None:
        documents = self._own.documents.get(tablet)
        return documents.get(id) if documents is not None else None

    def _put(
        self,
        info: TableInfo,
        id: str,
        document: dict[str, Any],
        *,
        before: Mapping[int, bytes] | None,
        current: Mapping[int, bytes] | None,
        keys: Mapping[int, bytes],
    ) -> None:
        """Check a document and lay it over the state."""
        encoded = encode_document(document)
        if not info.is_system:
            if len(encoded) > SURELY_SMALL_BYTES or encoded.count(b"{") + encoded.count(b"[") > SURELY_FLAT:
                check_document_limits(document)
            self._check_schemas(info.name, id, document)
        self.charges.write(len(encoded))
        self._own.put(info.tablet, id, OwnDocument(encoded, before, keys), current)
        if info.tablet <= INDEX:
            self.catalog = self.catalog.with_document(info.tablet, id, document)

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

    def _check_schemas(self, table: str, id: str, document: dict[str, Any]) -> None:
        if self.schema is not None:
            self.schema.check_document(table, document, self.table_number)
        if self.pending_schema is not None:
            try:
                self.pending_schema.check_document(table, document, self.table_number)
            except SchemaViolation as error:
                self.misfits.append(Misfit(table, id, str(error)))

    def _check_writable(self) -> None:
        if not self._writable:
            raise ArgumentError("a query cannot write to the database; use a mutation", code="ReadOnly")
