"""A ring of the newest log entries, with waiting readers.

Format: entries are the JSON objects of `/api/stream_function_logs`; `timestamp` is in seconds, cursors and line timestamps
are in milliseconds. Source: behaviour of get-convex/convex-backend crates/local_backend/src/logs.rs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from sys import getsizeof
from typing import Any

import msgspec

from convexpy.engine.call_log import Completion
from convexpy.limits import LOG_ENTRIES_BYTES_MAX, LOG_ENTRIES_MAX
from convexpy.protocol.frames import LogLine
from convexpy.services.logs._filters import LogFilter
from convexpy.services.logs._minutes import CallsByMinute
from convexpy.services.logs._statistics import FunctionStatistics

ENTRY_BYTES = 700
LINE_BYTES = 200
"""About what an entry, and a line of it, take beside their texts."""


def completion_json(completion: Completion, timestamp_s: float) -> dict[str, Any]:
    """Return the entry as tools read it."""
    return {
        "kind": "Completion",
        "udfType": completion.kind,
        "componentPath": None,
        "identifier": completion.path,
        "logLines": lines_of(completion.lines),
        "timestamp": timestamp_s,
        "executionTimestamp": timestamp_s - completion.seconds,
        "executionTime": completion.seconds,
        "userExecutionTime": completion.seconds,
        "cachedResult": completion.cached,
        "success": completion.success,
        "error": completion.error,
        "requestId": completion.request_id,
        "executionId": completion.request_id,
        "caller": completion.caller,
        "parentExecutionId": None,
        "identityType": completion.identity,
        "environment": "isolate",
        "usageStats": {
            "databaseReadBytes": completion.bytes_read,
            "databaseWriteBytes": completion.bytes_written,
            "databaseReadDocuments": completion.documents_read,
            "databaseWriteDocuments": completion.documents_written,
            "storageReadBytes": 0,
            "storageWriteBytes": 0,
            "vectorIndexReadBytes": 0,
            "vectorIndexWriteBytes": 0,
            "memoryUsedMb": 0,
        },
        "returnBytes": float(completion.return_bytes),
        "occInfo": None,
        "willRetry": False,
    }


def completion_size(completion: Completion) -> int:
    """About how many bytes it takes in memory."""
    size = ENTRY_BYTES + sum(
        map(getsizeof, (completion.path, completion.request_id, completion.error, completion.identity))
    )
    for line in completion.lines:
        size += LINE_BYTES + getsizeof(line.text)
    if completion.success is not None:
        size += sum(map(getsizeof, completion.success.values()))
    return size


class LogEntry(msgspec.Struct, gc=False):
    """One entry: its place in the order (milliseconds, strictly growing) and what it says."""

    cursor: float
    content: Completion | dict[str, Any]
    size: int

    @property
    def data(self) -> dict[str, Any]:
        """The entry as tools read it."""
        content = self.content
        return content if isinstance(content, dict) else completion_json(content, self.cursor / 1000)


class FunctionLog:
    """The newest entries of a deployment."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque()
        self._bytes = 0
        self._last = 0.0
        self._arrived = asyncio.Event()
        self.closed: bool = False
        """Whether nothing comes any more."""
        self.appended: int = 0
        """How many entries there have been: what a reader needs to know how many it has missed."""
        self.started_ms: float = time.time() * 1000
        self.statistics: FunctionStatistics = FunctionStatistics()
        self.minutes: CallsByMinute = CallsByMinute()
        self.on_completion: Callable[[Completion], None] | None = None
        """Called at the end of each call: for metrics."""

    def add(self, entry: dict[str, Any]) -> None:
        """Append an entry and wake the readers."""
        lines = sum(
            LINE_BYTES + getsizeof(text) for line in entry.get("logLines", ()) for text in line["messages"]
        )
        self._append(entry, ENTRY_BYTES + lines + sum(map(getsizeof, entry.values())))

    def _append(self, content: Completion | dict[str, Any], size: int) -> None:
        cursor = max(time.time() * 1000, self._last + 0.001)
        self._last = cursor
        self._entries.append(LogEntry(cursor, content, size))
        self._bytes += size
        self.appended += 1
        while len(self._entries) > LOG_ENTRIES_MAX or self._bytes > LOG_ENTRIES_BYTES_MAX:
            self._bytes -= self._entries.popleft().size
        if not self._arrived.is_set():
            self._arrived.set()

    def completion(self, completion: Completion, *, name: str | None = None, known: bool = True) -> None:
        """Log the end of a call, and count it under `name`, by default its path.

        Calls of what does not exist are not `known`, and not counted: strangers choose such names.
        """
        if known:
            failed = completion.error is not None
            self.statistics.count(completion.kind, name or completion.path, completion.seconds, failed=failed)
        self.minutes.count(completion)
        if self.on_completion is not None:
            self.on_completion(completion)
        self._append(completion, completion_size(completion))

    def progress(self, *, kind: str, path: str, request_id: str, lines: list[LogLine]) -> None:
        """Log lines of an action that is still running."""
        self.add(
            {
                "kind": "Progress",
                "udfType": kind,
                "componentPath": None,
                "identifier": path,
                "timestamp": time.time(),
                "logLines": lines_of(lines),
                "requestId": request_id,
                "executionId": request_id,
            }
        )

    async def read(self, cursor: float, wait_s: float) -> tuple[list[dict[str, Any]], float]:
        """Return entries after `cursor`, as tools read them, and the new cursor; wait for one if there is none."""
        if cursor == 0 and not self._entries:
            return [], time.time() * 1000
        entries = await self.wait(cursor, wait_s)
        return [entry.data for entry in entries], entries[-1].cursor if entries else cursor

    async def wait(self, cursor: float, wait_s: float) -> list[LogEntry]:
        """Return the entries after `cursor`; wait for one if there is none."""
        entries = self.after(cursor)
        if not entries:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while not (entries := self.after(cursor)) and not self.closed:
                        self._arrived.clear()
                        await self._arrived.wait()
        return entries

    async def read_fitting(
        self, cursor: float, wait_s: float, filter: LogFilter
    ) -> tuple[list[dict[str, Any]], float]:
        """Return the entries after `cursor` that a reader wants, and the new cursor; wait for one if there is none."""
        deadline = time.monotonic() + wait_s
        while True:
            entries, cursor = await self.read(cursor, max(deadline - time.monotonic(), 0.0))
            fitting = [found for entry in entries if (found := filter.applied(entry)) is not None]
            if fitting or self.closed or time.monotonic() >= deadline:
                return fitting, cursor

    @property
    def newest(self) -> float:
        """The cursor behind all entries so far."""
        return max(time.time() * 1000, self._last)

    @property
    def dropped(self) -> int:
        """How many entries have made room for newer ones."""
        return self.appended - len(self._entries)

    def after(self, cursor: float) -> list[LogEntry]:
        """Return the entries after `cursor`, the oldest first."""
        found: list[LogEntry] = []
        for entry in reversed(self._entries):
            if entry.cursor <= cursor:
                break
            found.append(entry)
        found.reverse()
        return found

    def close(self) -> None:
        """Let waiting readers go."""
        self.closed = True
        self._arrived.set()


def lines_of(lines: list[LogLine]) -> list[dict[str, Any]]:
    """Return log lines as the structured objects that the official command line reads."""
    return [
        {
            "messages": [line.text],
            "level": line.level,
            "timestamp": line.timestamp_ms,
            "isTruncated": line.truncated,
            "systemMetadata": None,
        }
        for line in lines
    ]
