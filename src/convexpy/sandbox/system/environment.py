"""Environment variables as documents of `_environment_variables`."""

from __future__ import annotations

from typing import Any

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.sandbox.host import CallContext
from convexpy.values import canonical_number

TABLE = "_environment_variables"
COUNT_MAX = 1000


def _find(context: CallContext, name: str) -> dict[str, Any] | None:
    plan = QueryPlan(TABLE, "by_name", equal=(("name", name),), system=True)
    return context.transaction.first(plan)


def list_all(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every variable, sorted by name."""
    return list(context.transaction.stream(QueryPlan(TABLE, "by_name", system=True)))


def get(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return one variable, or None."""
    found = _find(context, str(args.get("name", "")))
    return None if found is None else {"name": found["name"], "value": found["value"]}


def update(context: CallContext, args: dict[str, Any]) -> dict[str, str]:
    """Apply all changes (a value None removes), which the server has checked and encrypted; return all as stored.

    With `again` the values are what they were, encrypted again.
    """
    set_at = {} if args.get("again") else {"updatedAt": canonical_number(float(context.now_ms))}
    for change in args["changes"]:
        name, value = change["name"], change.get("value")
        known = _find(context, name)
        if value is None:
            if known is not None:
                context.transaction.system_delete(TABLE, known["_id"])
        elif known is None:
            context.transaction.system_insert(TABLE, {"name": name, "value": value, **set_at})
        elif known["value"] != value:
            context.transaction.system_patch(TABLE, known["_id"], {"value": value, **set_at})
    everything = {document["name"]: document["value"] for document in list_all(context, {})}
    if len(everything) > COUNT_MAX:
        raise Error(f"more than {COUNT_MAX} variables", code="TooManyEnvironmentVariables")
    return everything


FUNCTIONS = {
    "_system/cli/queryEnvironmentVariables": list_all,
    "_system/cli/queryEnvironmentVariables:get": get,
    "_system/environment:update": update,
}
