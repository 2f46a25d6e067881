"""Exports as documents of `_exports`: their states are what official tools subscribe to.

`requested` → `in_progress` → `completed`, or `failed`, or `canceled`. Moments are int64 nanoseconds.
"""

from __future__ import annotations

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.protocol.system import exports as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import UNSET, Document

TABLE = "_exports"
LISTED = 100
UNFINISHED = ("requested", "in_progress")


def _newest_first(context: CallContext) -> list[Document]:
    return list(context.transaction.stream(QueryPlan(TABLE, order="desc", system=True), limit=LISTED))


@handles(calls.CreateExport)
def create(context: CallContext, call: calls.CreateExport) -> str:
    if any(found["state"] in UNFINISHED for found in _newest_first(context)):
        raise Error("There is already an export requested or in progress.", code="ExportInProgress")
    document = {
        "state": "requested",
        "format": {"format": "zip", "include_storage": call.include_storage},
        "requestor": call.requestor,
    }
    return context.transaction.system_insert(TABLE, document)


@handles(calls.UpdateExport)
def update(context: CallContext, call: calls.UpdateExport) -> bool:
    found = context.transaction.get(call.id, TABLE, system=True)
    if found is None or found["state"] not in call.of:
        return False
    context.transaction.system_patch(TABLE, call.id, call.fields)
    return True


@handles(calls.GetLatestExport)
def latest(context: CallContext, call: calls.GetLatestExport) -> Document | None:
    for found in _newest_first(context):
        if found["requestor"] == "snapshotExport":
            return found
    return None


@handles(calls.ListExports)
def list_exports(context: CallContext, call: calls.ListExports) -> list[Document]:
    wanted = call.requestor
    return [found for found in _newest_first(context) if wanted in (None, found["requestor"])]


@handles(calls.FindExport)
def find(context: CallContext, call: calls.FindExport) -> Document | None:
    for found in _newest_first(context):
        if call.which in (found["_id"], str(int(found.get("start_ts", 0)))):
            return found
    return None


@handles(calls.RemoveExports)
def remove(context: CallContext, call: calls.RemoveExports) -> None:
    for id in call.ids:
        if context.transaction.get(id, TABLE, system=True) is not None:
            context.transaction.system_delete(TABLE, id)


@handles(calls.FailInterruptedExports)
def interrupted(context: CallContext, call: calls.FailInterruptedExports) -> None:
    for found in _newest_first(context):
        if found["state"] in UNFINISHED:
            failed = {"state": "failed", "error": "the server was restarted", "progress": UNSET}
            context.transaction.system_patch(TABLE, found["_id"], failed)
