"""Logs: what functions have logged, and how calls ended, as it happens; and all lines of one call."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui
from nicegui.element import Element
from starlette.requests import Request

from convexpy.client import LogPage
from convexpy.errors import Error
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import button, empty, link, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following
from convexpy_cli.logs.entries import records_of

SHOWN = 300
LEVELS = {
    "": "All levels",
    "debug": "Debug and above",
    "info": "Info and above",
    "warn": "Warnings and errors",
    "error": "Errors",
}
KINDS = {
    "": "All kinds",
    **{each: each.capitalize() for each in ("query", "mutation", "action", "http", "cron", "scheduled")},
}
COLUMNS = (
    Column("time", "Time", "time"),
    Column("level", "Level"),
    Column("function", "Function", "mono"),
    Column("message", "Message", "message"),
    Column("ms", "Duration", "number wide"),
    Column("request", "Request", "mono wide"),
)
TONES = {"warn": "badge warn", "error": "badge bad"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines are shown."""

    function: str = ""
    level: str = ""
    kind: str = ""
    text: str = ""
    request: str = ""
    calls: bool = True
    """Whether calls that have logged nothing are shown too."""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Wanted:
        """Return what an address asks for."""
        names = ("function", "level", "kind", "text", "request")
        return cls(**{name: parameters.get(name, "") for name in names}, calls=parameters.get("calls") != "0")

    @property
    def address(self) -> str:
        """The address of the page with this choice."""
        given = {name: value for name, value in vars(self).items() if name != "calls" and value}
        if not self.calls:
            given["calls"] = "0"
        return "/logs" + (f"?{urlencode(given)}" if given else "")

    @property
    def filters(self) -> dict[str, Any]:
        """What the deployment filters by. A level leaves out calls that went well; one call is shown whole."""
        function = (
            self.function
            if not self.function or any(each in self.function for each in "*?[")
            else f"*{self.function}*"
        )
        return {
            "function": function or None,
            "level": self.level or None,
            "kind": self.kind or None,
            "requestId": self.request or None,
            "success": "1" if self.calls or self.request else "0",
            "limit": SHOWN,
        }


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/logs")
    def logs(request: Request) -> None:
        with frame(dashboard, "Logs", "logs") as actions:
            if not dashboard.deployment.allows("logs:view"):
                forbidden(dashboard, "read logs")
                return
            LogView(dashboard, Wanted.read(request.query_params), actions)


class LogView:
    """The lines, the newest first, and what is shown of them."""

    def __init__(self, dashboard: Dashboard, wanted: Wanted, actions: Element) -> None:
        self._deployment, self._wanted = dashboard.deployment, wanted
        self._records: deque[tuple[int, dict[str, Any]]] = deque(maxlen=SHOWN)
        self._count = 0
        self._paused = False
        with actions:
            self._pause = button("Pause", self._toggle)
        if wanted.request:
            with tag("div", classes="row"):
                tag("span", "All lines of the request", "muted")
                tag("code", wanted.request)
                link("Show all requests", "/logs")
        else:
            self._filters()
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._lost = note("", "warn")
        self._lost.set_visibility(False)
        self._grid = Grid("Log lines", COLUMNS)
        self._grid.classes("lines")
        self._empty = tag("div")
        self._following = Following(self._pages, self._show, self._failed)

    def _filters(self) -> None:
        wanted = self._wanted
        with tag("div", classes="filters", role="search", aria_label="Filter"):
            self._text = Field("Text", wanted.text, kind="search", placeholder="Part of a message")
            self._function = Field("Function", wanted.function, mono=True, placeholder="messages:*")
            self._level = Field("Level", wanted.level, kind="select", options=LEVELS)
            self._kind = Field("Kind", wanted.kind, kind="select", options=KINDS)
            self._calls = Field("Calls without output", wanted.calls, kind="checkbox")
        self._text.on_value_change(self._searched)
        for each in (self._function, self._level, self._kind, self._calls):
            each.on_value_change(self._filtered)

    async def _pages(self) -> AsyncGenerator[LogPage, None]:
        self._records.clear()
        page = await self._deployment.logs(self._wanted.filters, None)
        while True:
            yield page
            page = await self._deployment.logs(self._wanted.filters, page)

    def _show(self, page: LogPage) -> None:
        self._error.set_visibility(False)
        for entry in page.entries:
            for record in records_of(entry, success=bool(self._wanted.calls or self._wanted.request)):
                self._count += 1
                self._records.appendleft((self._count, record))
        if page.lost:
            self._lost.text = f"{page.lost:,} entries came faster than they could be shown, and are gone."
            self._lost.set_visibility(True)
        if not self._paused:
            self._draw()

    def _draw(self) -> None:
        text = self._wanted.text.lower()
        records = [pair for pair in self._records if text in str(pair[1]["message"]).lower()]
        self._grid.show([record_row(number, record) for number, record in records])
        self._grid.set_visibility(bool(records))
        self._empty.clear()
        if not records:
            with self._empty:
                if self._wanted == Wanted():
                    empty("Nothing logged yet", "Calls and what functions print appear here as they happen.")
                else:
                    empty(
                        "Nothing matches",
                        "Lines that match appear here as they happen; the server keeps the newest ones only.",
                    )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    def _searched(self) -> None:
        self._wanted = replace(self._wanted, text=self._text.text)
        ui.navigate.history.replace(self._wanted.address)
        self._draw()

    def _filtered(self) -> None:
        self._wanted = replace(
            self._wanted,
            function=self._function.text.strip(),
            level=self._level.text,
            kind=self._kind.text,
            calls=bool(self._calls.value),
        )
        ui.navigate.history.replace(self._wanted.address)
        self._following.restart()

    def _toggle(self) -> None:
        self._paused = not self._paused
        self._pause.clear()
        with self._pause:
            tag("span", "Go on" if self._paused else "Pause")
        if not self._paused:
            self._draw()


def record_row(number: int, record: Mapping[str, Any]) -> Row:
    """Return the row of a log line."""
    moment = datetime.fromtimestamp(record["ts"] / 1000)  # noqa: DTZ006 - shown in the time of this machine
    request, function = str(record["requestId"] or ""), str(record["function"] or "")
    message = str(record["message"]) or ended(record)
    level = str(record["level"])
    cells = [
        Cell(f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}", title=f"{moment:%Y-%m-%d %H:%M:%S}"),
        Cell(level, tone=TONES.get(level, "badge")),
        Cell(
            function,
            href=f"/functions?path={quote(function)}" if record["kind"] != "http" else None,
            title=str(record["kind"]),
        ),
        Cell(message, tone="" if record["message"] else "null"),
        Cell("" if record["ms"] is None else f"{record['ms']:.1f} ms"),
        Cell(request[:8], href=f"/logs?request={quote(request)}", title=request),
    ]
    return Row(str(number), cells, tone="bad" if level == "error" else "")


def ended(record: Mapping[str, Any]) -> str:
    """Return how a call ended that has logged nothing."""
    cached = ", from the cache" if record["cached"] else ""
    return f"{record['status']}: {record['reads'] or 0} read, {record['writes'] or 0} written{cached}"
