"""The admin API of the function log: the official stream, and records that a reader has asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from convexpy.deployment import Deployment
from convexpy.errors import ArgumentError, RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, json_response
from convexpy.services.logs import LogFilter

WAIT_S = 60.0
RECORDS_PATH = "/api/convexpy/logs"
STREAM_PATHS = ("/api/stream_function_logs", "/api/app_metrics/stream_function_logs")
LOG_PATHS = frozenset({RECORDS_PATH, *STREAM_PATHS})


class LogApi:
    """The routes that read logs. Both wait for something to come, so that a reader who waits costs nothing."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    @property
    def routes(self) -> dict[tuple[str, str], Any]:
        """Handlers by method and path."""
        return {("GET", RECORDS_PATH): self.records, **{("GET", path): self.stream for path in STREAM_PATHS}}

    async def stream(self, request: HttpRequest) -> Response:
        """GET /api/stream_function_logs?cursor=…: entries after the cursor; waits for one."""
        await admin_for(self._deployment.identities, request, "logs:view")
        cursor = _number(request.query("cursor"), "cursor")
        entries, new_cursor = await self._deployment.log.read(cursor, WAIT_S)
        wanted = request.query("requestId")
        if wanted is not None:
            entries = [entry for entry in entries if entry["requestId"] == wanted]
        return json_response({"entries": entries, "newCursor": new_cursor})

    async def records(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/logs: entries that fit the filters `function kind level requestId status slow since until`.

        Without `cursor`: the newest, at most `limit`, at once. With it: those after it, waiting for one. `position` and
        `started` of an answer, given back, tell how many entries the reader has missed: `lost`, or `restarted`.
        """
        await admin_for(self._deployment.identities, request, "logs:view")
        given = parse_qs(request.scope["query_string"].decode("latin-1"))
        try:
            wanted = LogFilter.read(given)
        except ArgumentError as error:
            raise RequestError(error.message, code=error.code) from error
        log = self._deployment.log
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
        for entry in reversed(self._deployment.log.after(0)):
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
