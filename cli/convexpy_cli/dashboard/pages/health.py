"""Health: calls, errors, durations and cache hits over time; executors, checkpoint and disk."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nicegui import ui

from convexpy.errors import Error
from convexpy.protocol.admin_api import DeploymentStatus, ExecutorReport, HealthReport, MinuteReport
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.chart import Chart, Series
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import facts, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every
from convexpy_cli.output.units import local_time, size_text

EVERY_S = 2.0
MINUTE_MS = 60_000.0
SPANS = {"15": "Last 15 minutes", "60": "Last hour", "180": "Last 3 hours"}
EXECUTORS = (
    Column("role", "Role"),
    Column("running", "Running", "number"),
    Column("memory", "Memory", "number"),
    Column("lost", "Lost since the start", "number"),
)
Found = tuple[HealthReport, DeploymentStatus]


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/health")
    def health() -> None:
        with frame(dashboard, "Health", "health") as actions:
            if not dashboard.deployment.allows("functions:view"):
                forbidden(dashboard, "see how it is doing")
                return
            with actions:
                span = Field("Time", "60", kind="select", options=SPANS, bare=True)
            HealthView(dashboard.deployment, span)


class HealthView:
    """Charts and numbers, every two seconds."""

    def __init__(self, deployment: Deployment, span: Field) -> None:
        self._deployment, self._span = deployment, span
        self._latest: Found | None = None
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._numbers = tag("div")
        with tag("div", classes="charts"):
            self._calls = Chart("Calls per minute", bars=True)
            self._errors = Chart("Errors", unit="%")
            self._durations = Chart("Duration", unit="ms")
            self._cache = Chart("Answered from the cache", unit="%")
        with tag("section", classes="section", aria_label="Executors"):
            tag("h2", "Executors")
            self._executors = Grid("Executors", EXECUTORS)
        with tag("section", classes="section", aria_label="Storage"):
            tag("h2", "Storage")
            self._storage = tag("div")
        span.on_value_change(self._draw)
        Following(lambda: every(EVERY_S, self._read), self._show, self._failed)

    async def _read(self) -> Found:
        return await self._deployment.health(), await self._deployment.status()

    def _show(self, found: Found) -> None:
        self._latest = found
        self._error.set_visibility(False)
        health, status = found
        for place, numbers in (
            (self._numbers, overview(health, status)),
            (self._storage, storage(health, status)),
        ):
            place.clear()
            with place:
                facts(numbers)
        self._executors.show([executor_row(each) for each in health.executors])
        self._draw()

    def _draw(self) -> None:
        if self._latest is None:
            return
        now = (self._latest[1].now or time.time() * 1000) + MINUTE_MS
        until = now - now % MINUTE_MS
        span = (until - int(self._span.value) * MINUTE_MS, until)
        minutes = [each for each in self._latest[0].minutes if each.at >= span[0]]
        times = [float(each.at) for each in minutes]
        middles = [each + MINUTE_MS / 2 for each in times]
        self._calls.show(
            times, [Series("calls", "accent", [each.calls for each in minutes])], span=span, step=MINUTE_MS
        )
        for chart, series in (
            (self._errors, [Series("errors", "bad", shares(minutes, "errors"))]),
            (self._durations, durations(minutes)),
            (self._cache, [Series("cached", "good", shares(minutes, "cached"))]),
        ):
            chart.show(middles, series, span=span, step=MINUTE_MS)

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)


def shares(minutes: Sequence[MinuteReport], of: str) -> list[float]:
    """Return the share of calls that failed, or were cached, in percent."""
    return [round(100 * getattr(each, of) / each.calls, 2) for each in minutes]


def durations(minutes: Sequence[MinuteReport]) -> list[Series]:
    """Return the percentiles of durations."""
    return [
        Series("p50", "good", [float(each.p50_ms) for each in minutes]),
        Series("p95", "accent", [float(each.p95_ms) for each in minutes]),
        Series("p99", "warn", [float(each.p99_ms) for each in minutes]),
    ]


def overview(health: HealthReport, status: DeploymentStatus) -> dict[str, str]:
    """Return what a person looks at first."""
    rate = status.error_rate_1h
    return {
        "Errors, last hour": "no calls" if rate is None else f"{rate:.2%}",
        "Clients": f"{status.clients:,}",
        "Live queries": f"{health.subscriptions:,}",
        "Jobs running": f"{health.jobs_running:,}"
        + (f", {health.late_ms / 1000:.0f} s late" if health.late_ms >= 1000 else ""),
        "Version": str(status.live.version),
        "Server": status.server_version,
    }


def storage(health: HealthReport, status: DeploymentStatus) -> dict[str, str]:
    """Return what is known of log, checkpoint and disk."""
    found = {
        "Commits": f"{health.commits:,}",
        "Not in the checkpoint yet": f"{health.waiting_commits:,} ({size_text(health.waiting_bytes)})",
    }
    if status.disk is not None:
        found |= {
            "Database": size_text(status.disk.database_bytes),
            "Disk free": size_text(status.disk.free_bytes),
        }
    found |= {"Running since": local_time(status.started_at)}
    if status.building:
        found |= {"Indexes building": ", ".join(f"{each.table}.{each.index}" for each in status.building)}
    return found


def executor_row(executor: ExecutorReport) -> Row:
    """Return the row of a kind of executors."""
    lost = Cell(str(executor.lost), tone="bad" if executor.lost else "")
    return Row(executor.role, [executor.role, str(executor.running), size_text(executor.memory_bytes), lost])
