"""Browsing and filling tables, as the command line and other tools ask for it."""

from __future__ import annotations

from typing import Any

from convexpy.errors import ArgumentError, ConvexError, SchemaViolation
from convexpy.functions import Order, QueryPlan
from convexpy.sandbox.host import CallContext

DOCUMENTS_MAX = 4096
PAGE = 4000


def list_tables(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Return the names of all user tables as one page."""
    page = [{"name": table.name} for table in _user_tables(context)]
    return {"page": page, "isDone": True, "continueCursor": "end"}


def _user_tables(context: CallContext) -> list[Any]:
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


def table_data(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Return a page of full documents in the order of their creation."""
    order: Order = "desc" if args.get("order") == "desc" else "asc"
    plan = _plan(context, args["table"], order)
    if plan is None:
        return {"page": [], "isDone": True, "continueCursor": "end"}
    return context.transaction.paginate(plan, args["paginationOpts"])


def table_size(context: CallContext, args: dict[str, Any]) -> int:
    """Return the number of documents of a table."""
    plan = _plan(context, args["tableName"], "asc")
    return 0 if plan is None else context.transaction.count(plan)


def query_table(context: CallContext, args: dict[str, Any]) -> float:
    """Return a new number whenever the table changes."""
    plan = _plan(context, args["tableName"], "asc")
    if plan is not None:
        context.transaction.count(plan)
    return context.random().random()


def scan(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the newest documents of a table."""
    plan = _plan(context, args["table"], "desc")
    limit = int(args.get("limit", 100))
    return [] if plan is None else list(context.transaction.stream(plan, limit=limit))


def add_documents(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Insert documents; one that does not fit the schema refuses them all."""
    documents = args["documents"]
    if len(documents) > DOCUMENTS_MAX:
        raise ArgumentError(f"at most {DOCUMENTS_MAX} documents can be added at once")
    try:
        for document in documents:
            context.transaction.insert(args["table"], document)
    except SchemaViolation as error:
        raise ConvexError(str(error)) from error
    return {"success": True}


def clear_page(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Delete a page of documents, oldest first."""
    table = args["tableName"]
    plan = _plan(context, table, "asc")
    found = [] if plan is None else list(context.transaction.stream(plan, limit=PAGE + 1))
    for document in found[:PAGE]:
        context.transaction.delete(document["_id"], table)
    return {"deleted": len(found[:PAGE]), "continueCursor": "", "hasMore": len(found) > PAGE}


FUNCTIONS = {
    "_system/cli/tables": list_tables,
    "_system/cli/tableData": table_data,
    "_system/cli/tableSize": table_size,
    "_system/cli/queryTable": query_table,
    "_system/frontend/listTableScan": scan,
    "_system/frontend/addDocument": add_documents,
    "_system/frontend/clearTablePage": clear_page,
}
