"""The admin API of the function log: the official stream, and records that a reader has asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from convexpy.engine.identities import Identities
from convexpy.errors import ArgumentError, RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, json_response
from convexpy.http.routing import Handler, Routes
from convexpy.services.logs import FunctionLog, LogFilter

WAIT_S = 60.0
RECORDS_PATH = "/api/convexpy/logs"
STREAM_PATHS = ("/api/stream_function_logs", "/api/app_metrics/stream_function_logs")


class LogRoutes:
    """The routes that read logs. Readers wait for entries, so that one who waits costs nothing."""

    def __init__(self, *, log: FunctionLog, identities: Identities) -> None:
        self._log = log
        self._identities = identities

    def routes(self) -> Routes:
        """Return the handlers that wait."""
        handlers: dict[tuple[str, str], Handler] = {("GET", path): self.stream for path in STREAM_PATHS}
        return Routes({("GET", RECORDS_PATH): self.records, **handlers}, waiting=True)

    def statistics_routes(self) -> Routes:
        """Return the handlers that do not wait."""
        return Routes({("GET", "/api/convexpy/functions/stats"): self.statistics})

    async def statistics(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/functions/stats: counts and durations of the last 24 hours; `?hourly=1` by the hour, too."""
        await admin_for(self._identities, request, "functions:view")
        hourly = request.query("hourly") not in (None, "", "0")
        return json_response({"hours": 24, "functions": self._log.statistics.described(hourly=hourly)})

    async def stream(self, request: HttpRequest) -> Response:
        """GET /api/stream_function_logs?cursor=…: entries after the cursor; waits for one."""
        await admin_for(self._identities, request, "logs:view")
        cursor = _number(request.query("cursor"), "cursor")
        entries, new_cursor = await self._log.read(cursor, WAIT_S)
        wanted = request.query("requestId")
        if wanted is not None:
            entries = [entry for entry in entries if entry["requestId"] == wanted]
        return json_response({"entries": entries, "newCursor": new_cursor})

    async def records(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/logs: entries that fit the filters `function kind level requestId status slow since until`.

        Without `cursor`: the newest, at most `limit`, at once. With it: those after it, waiting for one. `position` and
        `started` of an answer, given back, tell how many entries the reader has missed: `lost`, or `restarted`.
        """
        await admin_for(self._identities, request, "logs:view")
        given = parse_qs(request.scope["query_string"].decode("latin-1"))
        try:
            wanted = LogFilter.read(given)
        except ArgumentError as error:
            raise RequestError(error.message, code=error.code) from error
        log = self._log
        position = int(_number(request.query("position"), "position"))
        started = _number(request.query("started"), "started")
        if request.query("cursor") is None:
            limit = int(_number(request.query("limit"), "limit")) if request.query("limit") else None
            entries, cursor, lost = self._newest(wanted, limit), log.newest, 0
        else:
            lost = max(log.dropped - position, 0) if started == log.started_ms else 0
            cursor = _number(request.query("cursor"), "cursor")
            entries, cursor = await log.read_fitting(cursor, WAIT_S, wanted)
        return json_response(
            {
                "entries": entries,
                "newCursor": cursor,
                "position": log.appended,
                "started": log.started_ms,
                "lost": lost,
                "restarted": started not in (0, log.started_ms),
            }
        )

    def _newest(self, wanted: LogFilter, limit: int | None) -> list[dict[str, Any]]:
        fitting: list[dict[str, Any]] = []
        for entry in reversed(self._log.after(0)):
            if limit is not None and len(fitting) >= limit:
                break
            found = wanted.applied(entry.data)
            if found is not None:
                fitting.append(found)
        return fitting[::-1]


def _number(text: str | None, name: str) -> float:
    try:
        return float(text or 0)
    except ValueError as error:
        raise RequestError(f"`{name}` must be a number", code=f"Bad{name.capitalize()}") from error
