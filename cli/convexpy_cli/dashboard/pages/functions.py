"""Functions: all of them with what they did in a day, and one with a form to run it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from nicegui import ui
from starlette.requests import Request

from convexpy.errors import Error
from convexpy.protocol.admin_api import FunctionReport
from convexpy.protocol.app_description import FunctionDescription, LiveApp
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages.runner import Runner
from convexpy_cli.dashboard.ui.chart import Chart, Series
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import badge, empty, facts, link, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every

EVERY_S = 2.0
HOUR_MS = 3_600_000.0
COLUMNS = (
    Column("path", "Function", "mono"),
    Column("kind", "Kind"),
    Column("visibility", "Visibility", "wide"),
    Column("calls", "Calls, 24 h", "number"),
    Column("errors", "Errors", "number"),
    Column("p50", "p50", "number wide"),
    Column("p95", "p95", "number"),
)
Reports = Mapping[str, FunctionReport]


def add(dashboard: Dashboard) -> None:
    """Add the pages."""

    @ui.page("/functions")
    async def functions(request: Request) -> None:
        path = request.query_params.get("path")
        if not dashboard.deployment.allows("functions:view"):
            with frame(dashboard, "Functions", "functions"):
                forbidden(dashboard, "see functions")
            return
        try:
            app = await dashboard.deployment.app()
            reports = await _reports(dashboard)
        except Error as error:
            with frame(dashboard, "Functions", "functions"):
                note(in_words(error), "bad")
            return
        found = next((each for each in app.functions if each.path == path), None)
        if found is not None:
            _show_one(dashboard, found, reports)
        else:
            _show_all(dashboard, app, reports, missing=path)


async def _reports(dashboard: Dashboard) -> Reports:
    return {each.path: each for each in await dashboard.deployment.statistics()}


def _show_all(dashboard: Dashboard, app: LiveApp, reports: Reports, *, missing: str | None) -> None:
    with frame(dashboard, "Functions", "functions", subtitle=f"version {app.version}" if app.version else ""):
        if missing is not None:
            note(f"There is no function {missing}: it may have been removed by a push.", "warn")
        if not app.functions:
            empty(
                "No functions yet",
                "Push the functions of your project to see and run them here.",
                "convexpy dev",
            )
            return
        search = Field("Search", kind="search", placeholder="Part of a name", bare=True)
        grid = Grid(
            "Functions", COLUMNS, on_open=lambda path: ui.navigate.to(f"/functions?path={quote(path)}")
        )

        def show(found: Reports) -> None:
            wanted = search.text.lower()
            grid.show(
                [
                    function_row(each, found.get(each.path))
                    for each in app.functions
                    if wanted in each.path.lower()
                ]
            )

        latest = [reports]

        def update(found: Reports) -> None:
            latest[0] = found
            show(found)

        search.on_value_change(lambda: show(latest[0]))
        show(reports)
        Following(lambda: every(EVERY_S, lambda: _reports(dashboard)), update)


def function_row(described: FunctionDescription, report: FunctionReport | None) -> Row:
    """Return the row of a function."""
    visibility = Cell(described.visibility, tone="null" if described.visibility == "internal" else "")
    head: list[Cell | str] = [described.path, described.kind, visibility]
    if report is None:
        return Row(described.path, [*head, "0", "0", "-", "-"])
    errors = Cell(f"{report.errors:,}", tone="bad" if report.errors else "")
    times = [milliseconds(report.p50_ms), milliseconds(report.p95_ms)]
    return Row(described.path, [*head, f"{report.calls:,}", errors, *times])


def milliseconds(ms: float) -> str:
    """Return a duration as it is read: `0.25 ms`, `12 ms`, `1.5 s`."""
    if ms >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2g} ms"


def _show_one(dashboard: Dashboard, function: FunctionDescription, reports: Reports) -> None:
    with frame(dashboard, function.path, "functions") as actions:
        with actions:
            link("Logs", f"/logs?function={quote(function.path)}", "button")
            link("All functions", "/functions", "button")
        with tag("div", classes="row"):
            badge(function.kind)
            badge(function.visibility)
            if function.file:
                place = f"{function.file}:{function.line}" if function.line else function.file
                tag("span", place, "mono muted")
        if function.doc:
            tag("p", function.doc.strip(), "doc")
        Runner(dashboard.deployment, function)
        with tag("section", classes="section", aria_label="Last 24 hours"):
            tag("h2", "Last 24 hours")
            numbers = tag("div")
            with tag("div", classes="charts"):
                calls, times = (
                    Chart("Calls by the hour", bars=True),
                    Chart("Average duration by the hour", unit="ms"),
                )

        def update(found: Reports) -> None:
            report = found.get(function.path)
            numbers.clear()
            with numbers:
                facts(summary(report))
            show_hours(report, calls, times)

        update(reports)
        Following(lambda: every(EVERY_S, lambda: _reports(dashboard)), update)


def summary(report: FunctionReport | None) -> dict[str, str]:
    """Return the numbers of a day."""
    if report is None:
        return {"Calls": "0", "Errors": "0", "p50": "-", "p95": "-", "Longest": "-"}
    rate = f" ({report.errors / report.calls:.1%})" if report.errors else ""
    return {
        "Calls": f"{report.calls:,}",
        "Errors": f"{report.errors:,}{rate}",
        "p50": milliseconds(report.p50_ms),
        "p95": milliseconds(report.p95_ms),
        "Longest": milliseconds(report.longest_ms),
    }


def show_hours(report: FunctionReport | None, calls: Chart, durations: Chart) -> None:
    """Draw the hours of a function."""
    import time

    now = time.time() * 1000
    until = now - now % HOUR_MS + HOUR_MS
    span = (until - 24 * HOUR_MS, until)
    hours = report.hours if report is not None and isinstance(report.hours, tuple) else ()
    times = [float(each.at) for each in hours]
    counts = [
        Series("calls", "accent", [each.calls for each in hours]),
        Series("errors", "bad", [each.errors for each in hours]),
    ]
    calls.show(times, counts, span=span, step=HOUR_MS)
    averages = [Series("average", "accent", [float(each.average_ms) for each in hours])]
    durations.show([each + HOUR_MS / 2 for each in times], averages, span=span, step=HOUR_MS)
