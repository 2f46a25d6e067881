"""The contents of pushed files, in parts: kept before a version goes live, forgotten when none names them any more.

Both in transactions of a few MiB each, so that a push of any size replaces one of any size.
"""

from __future__ import annotations

from typing import Any

from convexpy.functions import QueryPlan
from convexpy.limits import SOURCE_BATCH_BYTES
from convexpy.sandbox.host import CallContext

TABLE = "_source_packages"


def keep(context: CallContext, args: dict[str, Any]) -> None:
    """Keep `parts`: [hash, number, bytes] each."""
    for sha256, number, source in args["parts"]:
        context.transaction.system_insert(TABLE, {"sha256": sha256, "part": number, "source": source})


def forget(context: CallContext, args: dict[str, Any]) -> list[str]:
    """Remove contents by their hashes, some MiB at a time; return the hashes that are left."""
    left, size = list(args["sha256s"]), 0
    while left:
        plan = QueryPlan(TABLE, "by_sha256", equal=(("sha256", left[0]),), system=True)
        parts: list[str] = []
        for part in context.transaction.stream(plan):
            parts.append(part["_id"])
            size += len(part["source"])
            if size >= SOURCE_BATCH_BYTES:
                break
        for id in parts:
            context.transaction.system_delete(TABLE, id)
        if size >= SOURCE_BATCH_BYTES:
            return left
        left.pop(0)
    return left


FUNCTIONS = {
    "_system/sources:keep": keep,
    "_system/sources:forget": forget,
}
