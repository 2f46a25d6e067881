"""The reading half of a transaction: documents by id, queries, pages, and the names of tables.

Everything read goes into the read set and against the limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convexpy.database._history import Rewind
from convexpy.database._index_ranges import find_index, key_range
from convexpy.database._own_writes import OwnDocument, OwnWrites
from convexpy.database._pages import Journal
from convexpy.database._paginate import paginate
from convexpy.database._scan import Scan
from convexpy.database._snapshot import ALL, DocumentSchema, Snapshot
from convexpy.database._system_tables import APP_VISIBLE, TABLES
from convexpy.database._usage import Usage
from convexpy.database.catalog import Catalog, TableInfo
from convexpy.database.read_set import ReadSet
from convexpy.errors import ArgumentError, Error, NotUnique
from convexpy.functions import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.values import decode_document, decode_id


class Reading:
    """What queries and mutations may both do; `Transaction` adds writing."""

    # Few calls change these, so they start on the class.
    is_privileged = False
    schema: DocumentSchema | None = None
    function = ""
    _journal: Journal | None = None
    _journal_text: str | None = None

    def __init__(self, store: Snapshot, budget: TransactionBudget) -> None:
        self.read_set: ReadSet = ReadSet()
        self.catalog: Catalog = store.catalog
        self.charges: Usage = Usage(budget)
        self._store = store
        self._own = OwnWrites()

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

    def rewind(self, rewind: Rewind) -> None:
        """Read the state of an earlier moment from now on.

        Raises:
            Error: the store is at another log position than the one that was counted from (code `HistoryMoved`).
        """
        if rewind.row != self._store.seq:
            raise Error(f"at log position {self._store.seq}, not {rewind.row}", code="HistoryMoved")
        self._own.rewind(rewind)

    def first(self, plan: QueryPlan) -> dict[str, Any] | None:
        """Return the first document, or None."""
        if plan.filters:
            return next(self.stream(plan, limit=1), None)
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
        item = self._store.first(index, tablet, lower, upper, desc=desc)
        if item is None:
            self.read_set.spans.append((index, lower, upper))
            return None
        key, id, document = item
        self.read_set.spans.append((index, key, upper) if desc else (index, lower, key + b"\0"))
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
        if self._journal is None:
            self._journal = Journal()
        return paginate(self, plan, opts, self._journal, self._store.cursors)

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
        if text is not None:
            self._journal_text = text
            self._journal = Journal(text)

    @property
    def journal_out(self) -> str | None:
        """The journal for the next run of the same call; None if it paginated nothing."""
        return self._journal.text() if self._journal is not None else None

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

    # Documents

    def _read(self, tablet: int, id: str) -> bytes | None:
        """Return a document as this transaction sees it; a point of the read set."""
        self.read_set.points.add((tablet, id))
        own = self._own.documents.get(tablet)
        found = own.get(id) if own is not None else None
        document = found.document if found is not None else self._store.get(tablet, id)[0]
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
        known = self.catalog.queryable.get((plan.table, plan.index))
        if known is not None and plan.search is None and not plan.system:
            tablet, index = known
            return (tablet, index.number, *key_range(plan, index.fields))
        return self._prepare(plan)

    def _search_refused(self, plan: QueryPlan) -> Error:
        if self.schema is None or not self.schema.has_search_index(plan.table, plan.index or ""):
            return ArgumentError(f"Index {plan.table}.{plan.index} is not a search index.")
        return Error(
            f"search index {plan.table}.{plan.index}: full-text search is not in this version of convexpy",
            code="NotAvailable",
        )

    def _prepare(self, plan: QueryPlan) -> tuple[int, int, bytes, bytes] | None:
        """Resolve a plan with all checks."""
        if plan.search is not None:
            raise self._search_refused(plan)
        info = self.table(plan.table)
        if plan.table.startswith("_") != plan.system:
            side = "`ctx.db.system.query`" if plan.table.startswith("_") else "`ctx.db.query`"
            raise ArgumentError(f"Table `{plan.table}` is read with {side}.", code="WrongTableKind")
        if plan.system:
            self._check_visible(plan.table)
        name = plan.index or "by_creation_time"
        if info is None:
            if self.schema is not None:
                self.schema.check_table(plan.table)
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

    def _own_document(self, tablet: int, id: str) -> OwnDocument | None:
        documents = self._own.documents.get(tablet)
        return documents.get(id) if documents is not None else None
