"""Environment variables as documents of `_environment_variables`."""

from __future__ import annotations

import re
from typing import Any

from convexpy.errors import Error
from convexpy.execution.host import CallContext
from convexpy.functions import QueryPlan
from convexpy.values import canonical_number

TABLE = "_environment_variables"
NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
NAME_LENGTH_MAX = 256
VALUE_BYTES_MAX = 8192
COUNT_MAX = 1000
DEVELOPMENT = "CONVEXPY_DEVELOPMENT"
"""Set by the server of `convexpy dev` alone: functions that must never run in production look for it."""
BUILT_IN = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL", DEVELOPMENT)


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


def check(name: str, value: str | None) -> None:
    """Refuse an invalid name or value."""
    if len(name) > NAME_LENGTH_MAX:
        raise Error(
            f"the name of {name[:40]}… is longer than {NAME_LENGTH_MAX}",
            code="EnvironmentVariableNameTooLong",
        )
    if not NAME.fullmatch(name):
        raise Error(
            f"{name!r} is not a valid variable name: use letters, digits and _, and do not begin with a digit",
            code="EnvironmentVariableNameInvalid",
        )
    if name in BUILT_IN:
        raise Error(f"{name} is built in and can't be set", code="EnvironmentVariableBuiltIn")
    if value is not None and len(value.encode()) > VALUE_BYTES_MAX:
        raise Error(
            f"the value of {name} is larger than {VALUE_BYTES_MAX} bytes",
            code="EnvironmentVariableValueTooLarge",
        )


def update(context: CallContext, args: dict[str, Any]) -> dict[str, str]:
    """Apply all changes (a value None removes), which the server has checked and encrypted; return all as stored.

    With `again` the values are what they were, encrypted anew.
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
