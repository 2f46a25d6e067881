"""Log entries of a deployment as records for programs: one for each thing that was logged, one for the end of a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KINDS = {"Query": "query", "Mutation": "mutation", "Action": "action", "HttpAction": "http"}
_BY_CALLER = {"Cron": "cron", "Scheduler": "scheduled"}


def records_of(entry: dict[str, Any], *, success: bool) -> Iterator[dict[str, Any]]:
    """Yield the records of an entry. Times are milliseconds; a call that went well has one of its own with `success`."""
    for line in entry.get("logLines") or ():
        structured = line if isinstance(line, dict) else {"messages": [str(line)], "level": "LOG"}
        yield _record(
            entry,
            level=str(structured.get("level", "LOG")).lower(),
            ts=structured.get("timestamp") or entry["timestamp"] * 1000,
            message=" ".join(str(part) for part in structured.get("messages", ())),
            truncated=bool(structured.get("isTruncated")),
        )
    error = entry.get("error")
    if error:
        head = str(error).rstrip().splitlines()[-1]
        kind, _, message = head.partition(": ")
        described = {"type": kind, "message": message, "frames": str(error).splitlines()[:-1], "data": None}
        yield _record(entry, level="error", message=head, error=described)
    elif success and entry["kind"] == "Completion":
        yield _record(entry, level="info", message="")


def _record(entry: dict[str, Any], **own: Any) -> dict[str, Any]:
    ended = entry["kind"] == "Completion"
    usage = entry.get("usageStats") or {}
    route = entry.get("success") if isinstance(entry.get("success"), dict) else {}
    status = "error" if entry.get("error") else str(route.get("status", "ok")) if route else "ok"
    record: dict[str, Any] = {
        "ts": round(float(entry["timestamp"]) * 1000, 3),
        "level": "info",
        "kind": _BY_CALLER.get(str(entry.get("caller")), KINDS.get(str(entry.get("udfType")), "")),
        "function": entry.get("identifier"),
        "requestId": entry.get("requestId"),
        "parentId": entry.get("parentExecutionId"),
        "executionId": entry.get("executionId"),
        "message": "",
        "fields": None,
        "error": None,
        "ms": round(float(entry["executionTime"]) * 1000, 3) if ended else None,
        "cached": bool(entry.get("cachedResult")),
        "reads": usage.get("databaseReadDocuments"),
        "writes": usage.get("databaseWriteDocuments"),
        "status": status if ended else "running",
        "identity": entry.get("identityType"),
        "truncated": False,
    }
    return {**record, **own}
