"""Reading and changing single documents for people: what `convexpy data` asks for."""

from __future__ import annotations

from typing import Any

from convexpy.errors import ArgumentError, DocumentNotFound, Error
from convexpy.functions import Bound, Order, QueryPlan
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system.conditions import parse_condition
from convexpy.sandbox.system.tables import check_readable
from convexpy.values import UNSET, decode_id

ROWS_READ_MAX = 16_000
DELETED_AT_ONCE = 4_000


class TableNotFound(Error):
    """There is no table of that name."""

    default_code = "TableNotFound"


def _plan(context: CallContext, args: dict[str, Any]) -> QueryPlan:
    table = args["table"]
    check_readable(table)
    info = context.transaction.table(table)
    if info is None:
        known = [each.name for each in context.transaction.catalog.user_tables()]
        raise TableNotFound(f'there is no table "{table}"; known: {", ".join(known) or "none"}')
    order: Order = "desc" if args.get("order") == "desc" else "asc"
    where = args.get("where")
    return QueryPlan(
        table,
        index=args.get("index"),
        equal=tuple((field, value) for field, value in args.get("equal", ())),
        lower=_bound(args.get("lower")),
        upper=_bound(args.get("upper")),
        ordered=bool(args.get("lower") or args.get("upper")),
        order=order,
        filters=() if where is None else (parse_condition(where),),
        system=info.is_system,
    )


def _bound(described: dict[str, Any] | None) -> Bound | None:
    if described is None:
        return None
    return Bound(described["field"], described["value"], bool(described["inclusive"]))


def tables(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `name number tablet indexes` of every user table."""
    return [
        {
            "name": table.name,
            "number": table.number,
            "tablet": table.tablet,
            "indexes": [
                {"name": index.name, "fields": list(index.fields), "state": index.state}
                for index in table.indexes
                if index.state != "deleting" and index.name != "by_creation_time"
            ],
        }
        for table in context.transaction.catalog.user_tables()
    ]


def page(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Return a page of documents of a table, through an index and under a condition.

    Takes `table order index equal lower upper where paginationOpts`. At most ROWS_READ_MAX documents are looked at; a
    page that ends there is not done, whatever it holds.
    """
    opts = {"maximumRowsRead": ROWS_READ_MAX, **args["paginationOpts"]}
    return context.transaction.paginate(_plan(context, args), opts)


def get(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return `{table, document}` of an id, or None."""
    decoded = decode_id(args["id"])
    if decoded is None:
        raise ArgumentError(f"{args['id']!r} is not a valid id", code="InvalidId")
    info = context.transaction.catalog.by_number.get(decoded[0])
    if info is None:
        return None
    check_readable(info.name)
    found = context.transaction.get(args["id"], system=info.is_system)
    return None if found is None else {"table": info.name, "document": found}


def insert(context: CallContext, args: dict[str, Any]) -> list[str]:
    """Insert documents into a table; return their ids."""
    return [context.transaction.insert(args["table"], document) for document in args["documents"]]


def patch(context: CallContext, args: dict[str, Any]) -> None:
    """Set the fields of `set` and remove those of `unset`."""
    changes = {**args.get("set", {}), **dict.fromkeys(args.get("unset", ()), UNSET)}
    context.transaction.patch(args["id"], None, changes)


def delete(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Delete documents by `ids`, all of them or none, or a page of those that a condition holds for."""
    ids = args.get("ids")
    if ids is not None:
        for id in ids:
            try:
                context.transaction.delete(id)
            except DocumentNotFound as error:
                raise DocumentNotFound(f"there is no document {id}; nothing was deleted") from error
        return {"deleted": len(ids), "isDone": True}
    chosen = page(
        context, {**args, "paginationOpts": {"cursor": args.get("cursor"), "numItems": DELETED_AT_ONCE}}
    )
    for document in chosen["page"]:
        context.transaction.delete(document["_id"], args["table"])
    return {
        "deleted": len(chosen["page"]),
        "isDone": chosen["isDone"],
        "continueCursor": chosen["continueCursor"],
    }


FUNCTIONS = {
    "_system/data:tables": tables,
    "_system/data:page": page,
    "_system/data:get": get,
    "_system/data:insert": insert,
    "_system/data:patch": patch,
    "_system/data:delete": delete,
}
