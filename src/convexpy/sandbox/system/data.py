"""Reading and changing documents: for the official dashboard and command line, and for `convexpy data`."""

from __future__ import annotations

import msgspec

from convexpy.database import TableInfo
from convexpy.errors import ArgumentError, ConvexError, DocumentNotFound, Error, SchemaViolation
from convexpy.functions import Bound, Order, QueryPlan
from convexpy.protocol.system.data import (
    NO_DOCUMENTS,
    AddDocuments,
    AddedDocuments,
    ClearedPage,
    ClearTablePage,
    CountTable,
    DeletedDocuments,
    DeleteDocuments,
    DescribeTables,
    FieldBound,
    FoundDocument,
    GetDocument,
    InsertDocuments,
    ListTableNames,
    Page,
    PatchDocument,
    ReadPage,
    ReadTable,
    ScanTable,
    Selection,
    StoredIndex,
    StoredTable,
    WatchTable,
)
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.sandbox.system.conditions import parse_condition
from convexpy.values import UNSET, ConvexObject, Document, decode_id

DOCUMENTS_MAX = 4096
PAGE = 4000
ROWS_READ_MAX = 16_000
DELETED_AT_ONCE = 4_000


@handles(ListTableNames)
def list_tables(context: CallContext, call: ListTableNames) -> Page:
    """Return the names of all user tables as one page."""
    names: list[Document] = [{"name": table.name} for table in _user_tables(context)]
    return msgspec.structs.replace(NO_DOCUMENTS, page=names)


def _user_tables(context: CallContext) -> list[TableInfo]:
    context.transaction.table("")  # a table that is added or dropped changes the answer
    return context.transaction.catalog.user_tables()


SECRET_TABLES = frozenset({"_admin_keys", "_environment_variables"})
"""Tables that are read through functions of their own, which want the rights for it."""


def check_readable(table: str) -> None:
    """Raise ArgumentError for a table whose documents are not shown as data."""
    if table in SECRET_TABLES:
        raise ArgumentError(f"{table} is not read as data: use `convexpy env` or `convexpy keys`")


def _plan(context: CallContext, table: str, order: Order) -> QueryPlan | None:
    check_readable(table)
    info = context.transaction.table(table)
    return None if info is None else QueryPlan(table, order=order, system=info.is_system)


@handles(ReadTable)
def table_data(context: CallContext, call: ReadTable) -> Page:
    """Return a page of full documents in the order of their creation."""
    plan = _plan(context, call.table, call.order or "asc")
    return NO_DOCUMENTS if plan is None else _page(context, plan, call.pagination_opts)


def _page(context: CallContext, plan: QueryPlan, opts: ConvexObject) -> Page:
    return msgspec.convert(context.transaction.paginate(plan, opts), Page)


@handles(CountTable)
def table_size(context: CallContext, call: CountTable) -> int:
    """Return the number of documents of a table."""
    plan = _plan(context, call.table_name, "asc")
    return 0 if plan is None else context.transaction.count(plan)


@handles(WatchTable)
def query_table(context: CallContext, call: WatchTable) -> float:
    """Return a new number whenever the table changes."""
    plan = _plan(context, call.table_name, "asc")
    if plan is not None:
        context.transaction.count(plan)
    return context.random().random()


@handles(ScanTable)
def scan(context: CallContext, call: ScanTable) -> list[Document]:
    """Return the newest documents of a table."""
    plan = _plan(context, call.table, "desc")
    return [] if plan is None else list(context.transaction.stream(plan, limit=call.limit))


@handles(AddDocuments)
def add_documents(context: CallContext, call: AddDocuments) -> AddedDocuments:
    """Insert documents; one that does not fit the schema refuses them all."""
    documents = call.documents
    if len(documents) > DOCUMENTS_MAX:
        raise ArgumentError(f"at most {DOCUMENTS_MAX} documents can be added at once")
    try:
        for document in documents:
            context.transaction.insert(call.table, document)
    except SchemaViolation as error:
        raise ConvexError(str(error)) from error
    return AddedDocuments()


@handles(ClearTablePage)
def clear_page(context: CallContext, call: ClearTablePage) -> ClearedPage:
    """Delete a page of documents, oldest first."""
    table = call.table_name
    plan = _plan(context, table, "asc")
    found = [] if plan is None else list(context.transaction.stream(plan, limit=PAGE + 1))
    for document in found[:PAGE]:
        context.transaction.delete(document["_id"], table)
    return ClearedPage(len(found[:PAGE]), len(found) > PAGE)


# For `convexpy data`


class TableNotFound(Error):
    """There is no table of that name."""

    default_code = "TableNotFound"


def _selected(context: CallContext, call: Selection) -> QueryPlan:
    table = call.table
    check_readable(table)
    info = context.transaction.table(table)
    if info is None:
        known = [each.name for each in context.transaction.catalog.user_tables()]
        raise TableNotFound(f'there is no table "{table}"; known: {", ".join(known) or "none"}')
    return QueryPlan(
        table,
        index=call.index,
        equal=tuple(call.equal),
        lower=_bound(call.lower),
        upper=_bound(call.upper),
        ordered=bool(call.lower or call.upper),
        order=call.order or "asc",
        filters=() if call.where is None else (parse_condition(call.where),),
        system=info.is_system,
    )


def _bound(bound: FieldBound | None) -> Bound | None:
    return None if bound is None else Bound(bound.field, bound.value, bound.inclusive)


@handles(DescribeTables)
def tables(context: CallContext, call: DescribeTables) -> list[StoredTable]:
    """Return `name number tablet indexes` of every user table."""
    return [
        StoredTable(
            table.name,
            table.number,
            table.tablet,
            [
                StoredIndex(index.name, list(index.fields), index.state)
                for index in table.indexes
                if index.state != "deleting" and index.name != "by_creation_time"
            ],
        )
        for table in context.transaction.catalog.user_tables()
    ]


@handles(ReadPage)
def page(context: CallContext, call: ReadPage) -> Page:
    """Return a page of a selection. At most ROWS_READ_MAX documents are looked at; a page that ends there is not done."""
    opts = {"maximumRowsRead": ROWS_READ_MAX, **call.pagination_opts}
    return _page(context, _selected(context, call), opts)


@handles(GetDocument)
def get(context: CallContext, call: GetDocument) -> FoundDocument | None:
    """Return the document of an id and its table."""
    decoded = decode_id(call.id)
    if decoded is None:
        raise ArgumentError(f"{call.id!r} is not a valid id", code="InvalidId")
    info = context.transaction.catalog.by_number.get(decoded[0])
    if info is None:
        return None
    check_readable(info.name)
    found = context.transaction.get(call.id, system=info.is_system)
    return None if found is None else FoundDocument(info.name, found)


@handles(InsertDocuments)
def insert(context: CallContext, call: InsertDocuments) -> list[str]:
    """Insert documents into a table; return their ids."""
    return [context.transaction.insert(call.table, document) for document in call.documents]


@handles(PatchDocument)
def patch(context: CallContext, call: PatchDocument) -> None:
    """Set the fields of `set` and remove those of `unset`."""
    changes = {**call.set, **dict.fromkeys(call.unset, UNSET)}
    context.transaction.patch(call.id, None, changes)


@handles(DeleteDocuments)
def delete(context: CallContext, call: DeleteDocuments) -> DeletedDocuments:
    """Delete documents by their ids, all of them or none, or a page of a selection."""
    if call.ids is not None:
        for id in call.ids:
            try:
                context.transaction.delete(id)
            except DocumentNotFound as error:
                raise DocumentNotFound(f"there is no document {id}; nothing was deleted") from error
        return DeletedDocuments(len(call.ids), is_done=True)
    opts: ConvexObject = {
        "cursor": call.cursor,
        "numItems": DELETED_AT_ONCE,
        "maximumRowsRead": ROWS_READ_MAX,
    }
    chosen = _page(context, _selected(context, call), opts)
    for document in chosen.page:
        context.transaction.delete(document["_id"], call.table)
    return DeletedDocuments(len(chosen.page), chosen.is_done, chosen.continue_cursor)
