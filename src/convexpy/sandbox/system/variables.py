"""Environment variables as documents of `_environment_variables`."""

from __future__ import annotations

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.protocol.system import variables as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import Document, canonical_number

TABLE = "_environment_variables"
COUNT_MAX = 1000


def _find(context: CallContext, name: str) -> Document | None:
    plan = QueryPlan(TABLE, "by_name", equal=(("name", name),), system=True)
    return context.transaction.first(plan)


@handles(calls.ListVariables)
def list_all(context: CallContext, call: calls.ListVariables) -> list[Document]:
    return list(context.transaction.stream(QueryPlan(TABLE, "by_name", system=True)))


@handles(calls.GetVariable)
def get(context: CallContext, call: calls.GetVariable) -> calls.Variable | None:
    found = _find(context, call.name)
    return None if found is None else calls.Variable(found["name"], found["value"])


@handles(calls.UpdateVariables)
def update(context: CallContext, call: calls.UpdateVariables) -> dict[str, str]:
    return apply_changes(context, call.changes, again=call.again)


def apply_changes(
    context: CallContext, changes: list[calls.VariableChange], *, again: bool = False
) -> dict[str, str]:
    """Apply changes as part of a transaction; those made `again` keep their time."""
    set_at = {} if again else {"updatedAt": canonical_number(float(context.now_ms))}
    for change in changes:
        name, value = change.name, change.value
        known = _find(context, name)
        if value is None:
            if known is not None:
                context.transaction.system_delete(TABLE, known["_id"])
        elif known is None:
            context.transaction.system_insert(TABLE, {"name": name, "value": value, **set_at})
        elif known["value"] != value:
            context.transaction.system_patch(TABLE, known["_id"], {"value": value, **set_at})
    everything = {
        document["name"]: document["value"] for document in list_all(context, calls.ListVariables())
    }
    if len(everything) > COUNT_MAX:
        raise Error(f"more than {COUNT_MAX} variables", code="TooManyEnvironmentVariables")
    return everything
