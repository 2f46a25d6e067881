"""Exports as documents of `_exports`: their states are what official tools subscribe to.

`requested` → `in_progress` → `completed`, or `failed`, or `canceled`. Moments are int64 nanoseconds.
"""

from __future__ import annotations

from typing import Any

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.sandbox.host import CallContext
from convexpy.values import UNSET, Int64

TABLE = "_exports"
LISTED = 100
UNFINISHED = ("requested", "in_progress")


def _newest_first(context: CallContext) -> list[dict[str, Any]]:
    return list(context.transaction.stream(QueryPlan(TABLE, order="desc", system=True), limit=LISTED))


def create(context: CallContext, args: dict[str, Any]) -> str:
    """Ask for an export; return its id. One at a time."""
    if any(found["state"] in UNFINISHED for found in _newest_first(context)):
        raise Error("There is already an export requested or in progress.", code="ExportInProgress")
    document = {
        "state": "requested",
        "format": {"format": "zip", "include_storage": args["includeStorage"]},
        "requestor": args["requestor"],
    }
    return context.transaction.system_insert(TABLE, document)


def update(context: CallContext, args: dict[str, Any]) -> bool:
    """Change an export that is in one of the states `of`; say whether it was. Fields in `moments` become int64."""
    found = context.transaction.get(args["id"], TABLE, system=True)
    if found is None or found["state"] not in args["of"]:
        return False
    moments = {name: Int64(int(text)) for name, text in args.get("moments", {}).items()}
    context.transaction.system_patch(TABLE, args["id"], {**args["fields"], **moments})
    return True


def latest(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the newest export that somebody asked for, backups left out."""
    for found in _newest_first(context):
        if found["requestor"] == "snapshotExport":
            return found
    return None


def list_exports(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the newest exports and backups."""
    wanted = args.get("requestor")
    return [found for found in _newest_first(context) if wanted in (None, found["requestor"])]


def find(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the export of an id, or of its `start_ts` in decimal."""
    for found in _newest_first(context):
        if args["which"] in (found["_id"], str(int(found.get("start_ts", 0)))):
            return found
    return None


def remove(context: CallContext, args: dict[str, Any]) -> None:
    """Forget exports."""
    for id in args["ids"]:
        if context.transaction.get(id, TABLE, system=True) is not None:
            context.transaction.system_delete(TABLE, id)


def interrupted(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Fail the exports that were under way when the server ended; return all."""
    for found in _newest_first(context):
        if found["state"] in UNFINISHED:
            failed = {"state": "failed", "error": "the server was restarted", "progress": UNSET}
            context.transaction.system_patch(TABLE, found["_id"], failed)
    return _newest_first(context)


FUNCTIONS = {
    "_system/cli/exports:getLatest": latest,
    "_system/exports:create": create,
    "_system/exports:find": find,
    "_system/exports:interrupted": interrupted,
    "_system/exports:list": list_exports,
    "_system/exports:remove": remove,
    "_system/exports:update": update,
}
