"""The function log as lines: follows the ring of newest entries and hands each on as a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from convexpy.serve.log_output import Record, moment_text
from convexpy.services.logs import FunctionLog

WAIT_S = 3600.0


async def follow(log: FunctionLog, write: Callable[[Record], None]) -> None:
    """Write every entry from now on, until cancelled or the log is closed."""
    cursor = time.time() * 1000
    while not log.closed:
        entries, cursor = await log.read(cursor, WAIT_S)
        for entry in entries:
            write(record_of(entry))


def record_of(entry: dict[str, Any]) -> Record:
    """Return an entry of the function log as a record."""
    lines = [
        {
            "level": line["level"],
            "text": " ".join(line["messages"]),
            "ts": moment_text(line["timestamp"] / 1000),
        }
        for line in entry["logLines"]
    ]
    error = entry.get("error")
    ended = entry["kind"] == "Completion"
    return {
        "ts": moment_text(entry["timestamp"]),
        "level": "ERROR" if error else "INFO",
        "type": "function",
        "kind": entry["udfType"].lower(),
        "function": entry["identifier"],
        "status": "running" if not ended else "error" if error else "ok",
        "ms": round(entry.get("executionTime", 0.0) * 1000, 3),
        "requestId": entry["requestId"],
        "caller": entry.get("caller"),
        "identity": entry.get("identityType"),
        "error": error,
        "lines": lines,
    }
