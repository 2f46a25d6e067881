"""The admin API of the function log: the official stream, and records that a reader has asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from convexpy.errors import ArgumentError, RequestError
from convexpy.http.messages import HttpRequest
from convexpy.http.routing import Routes
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.logs import FunctionLog, LogFilter

WAIT_S = 60.0


@dataclass(kw_only=True, eq=False)
class StatisticsRoutes(AdminRoutes):
    """The route of what functions did."""

    log: FunctionLog

    @route("GET", "/api/convexpy/functions/stats", "functions:view")
    async def statistics(self, request: HttpRequest) -> dict[str, Any]:
        """Return counts and durations of the last 24 hours; `?hourly=1` by the hour, too."""
        hourly = request.query("hourly") not in (None, "", "0")
        return {"hours": 24, "functions": self.log.statistics.described(hourly=hourly)}


@dataclass(kw_only=True, eq=False)
class LogRoutes(AdminRoutes):
    """The routes that read logs. Readers wait for entries, so that one who waits costs nothing."""

    log: FunctionLog

    def routes(self) -> Routes:
        """Return the handlers, which wait."""
        return replace(super().routes(), waiting=True)

    @route("GET", "/api/stream_function_logs", "logs:view")
    @route("GET", "/api/app_metrics/stream_function_logs", "logs:view")
    async def stream(self, request: HttpRequest) -> dict[str, Any]:
        """Return the entries after `cursor`; wait for one."""
        cursor = _number(request.query("cursor"), "cursor")
        entries, new_cursor = await self.log.read(cursor, WAIT_S)
        wanted = request.query("requestId")
        if wanted is not None:
            entries = [entry for entry in entries if entry["requestId"] == wanted]
        return {"entries": entries, "newCursor": new_cursor}

    @route("GET", "/api/convexpy/logs", "logs:view")
    async def records(self, request: HttpRequest) -> dict[str, Any]:
        """Return entries that fit the filters `function kind level requestId status slow since until`.

        Without `cursor`: the newest, at most `limit`, at once. With it: those after it, waiting for one. `position` and
        `started` of an answer, given back, tell how many entries the reader has missed: `lost`, or `restarted`.
        """
        given = parse_qs(request.scope["query_string"].decode("latin-1"))
        try:
            wanted = LogFilter.read(given)
        except ArgumentError as error:
            raise RequestError(error.message, code=error.code) from error
        log = self.log
        position = int(_number(request.query("position"), "position"))
        started = _number(request.query("started"), "started")
        if request.query("cursor") is None:
            limit = int(_number(request.query("limit"), "limit")) if request.query("limit") else None
            entries, cursor, lost = self._newest(wanted, limit), log.newest, 0
        else:
            lost = max(log.dropped - position, 0) if started == log.started_ms else 0
            cursor = _number(request.query("cursor"), "cursor")
            entries, cursor = await log.read_fitting(cursor, WAIT_S, wanted)
        return {
            "entries": entries,
            "newCursor": cursor,
            "position": log.appended,
            "started": log.started_ms,
            "lost": lost,
            "restarted": started not in (0, log.started_ms),
        }

    def _newest(self, wanted: LogFilter, limit: int | None) -> list[dict[str, Any]]:
        fitting: list[dict[str, Any]] = []
        for entry in reversed(self.log.after(0)):
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
