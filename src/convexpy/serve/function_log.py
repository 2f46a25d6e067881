"""The function log as lines: follows the ring of newest entries and hands each on as a record."""

from __future__ import annotations

import time
from collections.abc import Callable

from convexpy.engine.call_log import Completion
from convexpy.serve.log_output import Record, moment_text
from convexpy.services.logs import FunctionLog, LogEntry

WAIT_S = 3600.0


async def follow(log: FunctionLog, write: Callable[[Record], None]) -> None:
    """Write every entry from now on, until cancelled or the log is closed."""
    cursor = time.time() * 1000
    while not log.closed:
        for entry in await log.wait(cursor, WAIT_S):
            cursor = entry.cursor
            write(record_of(entry))


def record_of(entry: LogEntry) -> Record:
    """Return an entry of the function log as a record."""
    content, seconds = entry.content, entry.cursor / 1000
    if isinstance(content, Completion):
        lines = [_line(line.level, line.text, line.timestamp_ms) for line in content.lines]
        return {
            "ts": moment_text(seconds),
            "level": "ERROR" if content.error else "INFO",
            "type": "function",
            "kind": content.kind.lower(),
            "function": content.path,
            "status": "error" if content.error else "ok",
            "ms": round(content.seconds * 1000, 3),
            "requestId": content.request_id,
            "caller": content.caller,
            "identity": content.identity,
            "error": content.error,
            "lines": lines,
        }
    lines = [
        _line(line["level"], " ".join(line["messages"]), line["timestamp"]) for line in content["logLines"]
    ]
    return {
        "ts": moment_text(seconds),
        "level": "INFO",
        "type": "function",
        "kind": content["udfType"].lower(),
        "function": content["identifier"],
        "status": "running",
        "ms": 0.0,
        "requestId": content["requestId"],
        "caller": None,
        "identity": None,
        "error": None,
        "lines": lines,
    }


def _line(level: str, text: str, timestamp_ms: float) -> Record:
    return {"level": level, "text": text, "ts": moment_text(timestamp_ms / 1000)}
