"""Reading and changing documents: for the official dashboard and command line, and for `convexpy data`."""

from __future__ import annotations

import msgspec

from convexpy.database import TableInfo
from convexpy.errors import ArgumentError, ConvexError, DocumentNotFound, Error, SchemaViolation
from convexpy.functions import Order, QueryPlan
from convexpy.protocol.system import data as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.sandbox.system.conditions import parse_condition
from convexpy.values import UNSET, ConvexObject, Document, decode_id

DOCUMENTS_MAX = 4096
PAGE = 4000
ROWS_READ_MAX = 16_000
DELETED_AT_ONCE = 4_000


@handles(calls.ListTableNames)
def list_tables(context: CallContext, call: calls.ListTableNames) -> calls.Page:
    names: list[Document] = [{"name": table.name} for table in _user_tables(context)]
    return msgspec.structs.replace(calls.NO_DOCUMENTS, page=names)


def _user_tables(context: CallContext) -> list[TableInfo]:
    context.transaction.table("")  # a table that is added or dropped changes the answer
    return context.transaction.catalog.user_tables()


SECRET_TABLES = frozenset({"_admin_keys", "_environment_variables", "_signing_keys"})
"""Tables that are read through functions of their own, which want the rights for it."""


def check_readable(table: str) -> None:
    """Raise ArgumentError for a table whose documents are not shown as data."""
    if table in SECRET_TABLES:
        raise ArgumentError(f"{table} is not read as data: use `convexpy env` or `convexpy keys`")


def _plan(context: CallContext, table: str, order: Order) -> QueryPlan | None:
    check_readable(table)
    info = context.transaction.table(table)
    return None if info is None else QueryPlan(table, order=order, system=info.is_system)


@handles(calls.ReadTable)
def table_data(context: CallContext, call: calls.ReadTable) -> calls.Page:
    plan = _plan(context, call.table, call.order or "asc")
    return calls.NO_DOCUMENTS if plan is None else _page(context, plan, call.pagination_opts)


def _page(context: CallContext, plan: QueryPlan, opts: ConvexObject) -> calls.Page:
    return msgspec.convert(context.transaction.paginate(plan, opts), calls.Page)


@handles(calls.CountTable)
def table_size(context: CallContext, call: calls.CountTable) -> int:
    plan = _plan(context, call.table_name, "asc")
    return 0 if plan is None else context.transaction.count(plan)


@handles(calls.WatchTable)
def query_table(context: CallContext, call: calls.WatchTable) -> float:
    plan = _plan(context, call.table_name, "asc")
    if plan is not None:
        context.transaction.count(plan)
    return context.random().random()


@handles(calls.ScanTable)
def scan(context: CallContext, call: calls.ScanTable) -> list[Document]:
    plan = _plan(context, call.table, "desc")
    return [] if plan is None else list(context.transaction.stream(plan, limit=call.limit))


@handles(calls.AddDocuments)
def add_documents(context: CallContext, call: calls.AddDocuments) -> calls.AddedDocuments:
    documents = call.documents
    if len(documents) > DOCUMENTS_MAX:
        raise ArgumentError(f"at most {DOCUMENTS_MAX} documents can be added at once")
    try:
        for document in documents:
            context.transaction.insert(call.table, document)
    except SchemaViolation as error:
        raise ConvexError(str(error)) from error
    return calls.AddedDocuments()


@handles(calls.ClearTablePage)
def clear_page(context: CallContext, call: calls.ClearTablePage) -> calls.ClearedPage:
    table = call.table_name
    plan = _plan(context, table, "asc")
    found = [] if plan is None else list(context.transaction.stream(plan, limit=PAGE + 1))
    for document in found[:PAGE]:
        context.transaction.delete(document["_id"], table)
    return calls.ClearedPage(len(found[:PAGE]), len(found) > PAGE)


# For `convexpy data`


class TableNotFound(Error):
    """There is no table of that name."""


def _selected(context: CallContext, call: calls.Selection) -> QueryPlan:
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
        lower=call.lower,
        upper=call.upper,
        ordered=bool(call.lower or call.upper),
        order=call.order or "asc",
        filters=() if call.where is None else (parse_condition(call.where),),
        system=info.is_system,
    )


@handles(calls.ReadPage)
def page(context: CallContext, call: calls.ReadPage) -> calls.Page:
    opts = {"maximumRowsRead": ROWS_READ_MAX, **call.pagination_opts}
    return _page(context, _selected(context, call), opts)


@handles(calls.GetDocument)
def get(context: CallContext, call: calls.GetDocument) -> calls.FoundDocument | None:
    decoded = decode_id(call.id)
    if decoded is None:
        raise ArgumentError(f"{call.id!r} is not a valid id", code="InvalidId")
    info = context.transaction.catalog.by_number.get(decoded[0])
    if info is None:
        return None
    check_readable(info.name)
    found = context.transaction.get(call.id, system=info.is_system)
    return None if found is None else calls.FoundDocument(info.name, found)


@handles(calls.InsertDocuments)
def insert(context: CallContext, call: calls.InsertDocuments) -> list[str]:
    return [context.transaction.insert(call.table, document) for document in call.documents]


@handles(calls.PatchDocument)
def patch(context: CallContext, call: calls.PatchDocument) -> None:
    changes = {**call.set, **dict.fromkeys(call.unset, UNSET)}
    context.transaction.patch(call.id, None, changes)


@handles(calls.DeleteDocuments)
def delete(context: CallContext, call: calls.DeleteDocuments) -> calls.DeletedDocuments:
    if call.ids is not None:
        for id in call.ids:
            try:
                context.transaction.delete(id)
            except DocumentNotFound as error:
                raise DocumentNotFound(f"there is no document {id}; nothing was deleted") from error
        return calls.DeletedDocuments(len(call.ids), is_done=True)
    opts: ConvexObject = {
        "cursor": call.cursor,
        "numItems": DELETED_AT_ONCE,
        "maximumRowsRead": ROWS_READ_MAX,
    }
    chosen = _page(context, _selected(context, call), opts)
    for document in chosen.page:
        context.transaction.delete(document["_id"], call.table)
    return calls.DeletedDocuments(len(chosen.page), chosen.is_done, chosen.continue_cursor)
