"""Log entries of a deployment as lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from convexpy.printable import one_line

_KINDS = {"Query": "Q", "Mutation": "M", "Action": "A", "HttpAction": "H"}


def lines_of(
    entry: dict[str, Any], *, success: bool = False, detailed: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield (level, line) for an entry: one per thing that was logged, one for an error.

    With `success` a call that logged nothing and went well has a line, too; `detailed` ones say what it read and wrote.
    """
    kind, name = _KINDS.get(entry.get("udfType", ""), "?"), one_line(str(entry.get("identifier", "")))
    head = f"{_clock(entry.get('timestamp'))} [{kind} {name}]"
    for logged in entry.get("logLines") or ():
        level, text = _split(logged)
        yield level, f"{head} {level.lower()}: {text}"
    error = entry.get("error")
    if error:
        yield "ERROR", f"{head} error: {error}"
        if detailed:
            yield "INFO", f"{head} failed after {_ended(entry)}"
    elif success and entry.get("kind") == "Completion":
        status = entry.get("success") or {}
        detail = f" {status['status']}" if isinstance(status, dict) and "status" in status else ""
        cached = " (cached)" if entry.get("cachedResult") else ""
        text = _ended(entry) if detailed else f"{entry.get('executionTime', 0) * 1000:.1f} ms"
        yield "INFO", f"{head} ok{detail} {text}{cached}"


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
