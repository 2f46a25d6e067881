"""Schedules: scheduled functions, which can be cancelled, and cron jobs, which can be run at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui
from starlette.requests import Request

from convexpy.errors import Error
from convexpy.protocol.system.crons import CronJob, ListCrons
from convexpy.protocol.system.scheduling import ListJobs
from convexpy.schema.shapes import in_words as schedule_in_words
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.documents import pretty
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.dialogs import ask, change, described as in_words, panel
from convexpy_cli.dashboard.ui.elements import button, empty, link, note, tabs, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following
from convexpy_cli.output.units import local_time

SHOWN = 100
STATES = {
    "": "All states",
    "pending": "Pending",
    "inProgress": "Running",
    "success": "Succeeded",
    "failed": "Failed",
    "canceled": "Cancelled",
}
TONES = {
    "pending": "badge",
    "inProgress": "badge warn",
    "success": "badge good",
    "failed": "badge bad",
    "canceled": "badge",
}
JOBS = (
    Column("id", "Id", "mono id"),
    Column("function", "Function", "mono"),
    Column("state", "State"),
    Column("planned", "Planned for", "number"),
    Column("ended", "Ended", "number wide"),
)
CRONS = (
    Column("name", "Name"),
    Column("schedule", "Schedule"),
    Column("function", "Function", "mono wide"),
    Column("last", "Last run", "number wide"),
    Column("next", "Next run", "number"),
)
TABS = {"Scheduled functions": "/schedules", "Cron jobs": "/schedules?tab=crons"}


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/schedules")
    def schedules(request: Request) -> None:
        crons = request.query_params.get("tab") == "crons"
        with frame(dashboard, "Schedules", "schedules"):
            tabs(TABS, list(TABS)[crons])
            if not dashboard.deployment.allows("functions:view" if crons else "data:view"):
                forbidden(dashboard, "see what is scheduled")
            elif crons:
                CronView(dashboard.deployment)
            else:
                JobView(dashboard.deployment)


class JobView:
    """The scheduled functions, the latest planned first."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._jobs: dict[str, dict[str, Any]] = {}
        with tag("div", classes="filters", role="search", aria_label="Filter"):
            self._function = Field("Function", mono=True, placeholder="messages:*", on_change=self._filtered)
            self._state = Field("State", "", kind="select", options=STATES, on_change=self._filtered)
        self._error = note("", "bad")
        self._error.set_visibility(False)
        writes = deployment.allows("data:write")
        self._grid = Grid(
            "Scheduled functions", JOBS, on_open=self._open, on_action=self._cancel if writes else None
        )
        self._writes = writes
        self._empty = tag("div")
        self._following = Following(self._watch, self._show, self._failed)

    async def _watch(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        call = ListJobs(self._state.text or None, self._function.text.strip() or None, SHOWN)
        async for jobs in self._deployment.watch_system(call):
            yield jobs

    def _show(self, jobs: list[dict[str, Any]]) -> None:
        self._error.set_visibility(False)
        self._jobs = {each["_id"]: each for each in jobs}
        self._grid.show([job_row(each, cancels=self._writes) for each in jobs])
        self._grid.set_visibility(bool(jobs))
        self._empty.clear()
        if not jobs:
            with self._empty:
                if self._state.text or self._function.text:
                    empty("Nothing matches", "No scheduled function has this state and name.")
                else:
                    empty(
                        "Nothing scheduled",
                        "Functions schedule others with ctx.scheduler.run_after() and run_at().",
                    )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    def _filtered(self) -> None:
        self._following.restart()

    async def _cancel(self, id: str, _action: str) -> None:
        function, name = self._jobs[id]["function"], self._deployment.identified.name
        if await ask(
            "Cancel this run?",
            f"{function} will not run as planned on {name}.",
            "Cancel the run",
            danger=True,
        ):
            await change(
                self._deployment, lambda: self._deployment.cancel_job(id), done=f"{function} is cancelled"
            )

    def _open(self, id: str) -> None:
        job = self._jobs[id]
        with panel(str(job["function"]), subtitle=id) as (opened, inside, foot):
            with inside:
                tag(
                    "p",
                    f"{STATES.get(job['state']['kind'], job['state']['kind'])}; planned for {local_time(job['scheduledTime'])}",
                    "muted",
                )
                if job["state"].get("error"):
                    note(str(job["state"]["error"]), "bad")
                tag("h3", "Arguments")
                tag("pre", pretty(job["args"][0] if job["args"] else {}), "value")
            with foot:
                link("Logs of the function", f"/logs?function={quote(job['function'])}", "button")
                tag("span", classes="grow")
                button("Close", opened.close)
        opened.open()


def job_row(job: Mapping[str, Any], *, cancels: bool) -> Row:
    """Return the row of a scheduled function."""
    state = str(job["state"]["kind"])
    cells = [
        Cell(str(job["_id"]), title=str(job["_id"])),
        Cell(str(job["function"])),
        Cell(STATES.get(state, state), tone=TONES.get(state, "badge"), title=job["state"].get("error")),
        Cell(local_time(job["scheduledTime"])),
        Cell(local_time(job.get("completedTime"))),
    ]
    return Row(str(job["_id"]), cells, actions=("Cancel",) if cancels and state == "pending" else ())


class CronView:
    """The cron jobs by name."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._runs = deployment.allows("functions:run")
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._grid = Grid("Cron jobs", CRONS, on_action=self._run if self._runs else None)
        self._empty = tag("div")
        Following(lambda: deployment.watch_system(ListCrons()), self._show, self._failed)

    def _show(self, crons: list[CronJob]) -> None:
        self._error.set_visibility(False)
        self._grid.show([cron_row(each, runs=self._runs) for each in crons])
        self._grid.set_visibility(bool(crons))
        self._empty.clear()
        if not crons:
            with self._empty:
                empty(
                    "No cron jobs",
                    "Declare them in crons.py; they begin with the next push.",
                    "convexpy docs scheduling",
                )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    async def _run(self, name: str, _action: str) -> None:
        await change(
            self._deployment,
            lambda: self._deployment.run_cron(name),
            done=f"{name} is running, as an extra run",
        )


def cron_row(cron: CronJob, *, runs: bool) -> Row:
    """Return the row of a cron job."""
    last = cron.last_run or {}
    failed = f" ({cron.failures_in_a_row} failures in a row)" if cron.failures_in_a_row else ""
    moment = last.get("ts")
    cells = [
        Cell(cron.name),
        Cell(schedule_in_words(cron.cron_spec)),
        Cell(cron.function, href=f"/functions?path={quote(cron.function)}"),
        Cell(local_time(moment) + failed, tone="bad" if failed else ""),
        Cell(local_time(cron.next_run)),
    ]
    return Row(cron.name, cells, actions=("Run now",) if runs else ())
