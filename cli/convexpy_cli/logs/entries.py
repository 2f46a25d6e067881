"""Log entries of a deployment as lines for people, and as records for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from convexpy.printable import one_line

_KINDS = {"Query": "Q", "Mutation": "M", "Action": "A", "HttpAction": "H"}
KINDS = {"Query": "query", "Mutation": "mutation", "Action": "action", "HttpAction": "http"}
_BY_CALLER = {"Cron": "cron", "Scheduler": "scheduled"}


class Line(NamedTuple):
    """A line for people: when and in which function, and what was said."""

    level: str
    head: str
    text: str

    def __str__(self) -> str:
        return f"{self.head} {self.text}"


def lines_of(entry: dict[str, Any], *, success: bool = False, detailed: bool = False) -> Iterator[Line]:
    """Yield the lines of an entry: one per thing that was logged, one for an error.

    With `success` a call that logged nothing and went well has a line, too; `detailed` ones say what it read and wrote.
    """
    kind, name = _KINDS.get(entry.get("udfType", ""), "?"), one_line(str(entry.get("identifier", "")))
    head = f"{_clock(entry.get('timestamp'))} [{kind} {name}]"
    for logged in entry.get("logLines") or ():
        level, text = _split(logged)
        yield Line(level, head, f"{level.lower()}: {text}")
    error = entry.get("error")
    if error:
        yield Line("ERROR", head, f"error: {error}")
        if detailed:
            yield Line("INFO", head, f"failed after {_ended(entry)}")
    elif success and entry.get("kind") == "Completion":
        status = entry.get("success") or {}
        detail = f" {status['status']}" if isinstance(status, dict) and "status" in status else ""
        cached = " (cached)" if entry.get("cachedResult") else ""
        text = _ended(entry) if detailed else f"{entry.get('executionTime', 0) * 1000:.1f} ms"
        yield Line("INFO", head, f"ok{detail} {text}{cached}")


def _ended(entry: dict[str, Any]) -> str:
    """Return time, reads and writes of a call, and who made it."""
    usage = entry.get("usageStats") or {}
    reads, writes = usage.get("databaseReadDocuments", 0), usage.get("databaseWriteDocuments", 0)
    caller = f" · by {entry['caller']}" if entry.get("caller") else ""
    return f"{entry.get('executionTime', 0) * 1000:.1f} ms · {reads} read, {writes} written{caller}"


def text_of(logged: Any) -> str:
    """Return what a log line of a function's answer says, with its level."""
    level, text = _split(logged)
    return f"[{level}] {text}"


def _split(logged: Any) -> tuple[str, str]:
    if isinstance(logged, dict):
        return str(logged.get("level", "LOG")), " ".join(str(part) for part in logged.get("messages", ()))
    found = re.match(r"\[(\w+)\] (.*)", str(logged), re.DOTALL)
    return (found[1], found[2]) if found else ("LOG", str(logged))


def _clock(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return "--:--:--"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


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
