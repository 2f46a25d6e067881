"""History: what was pushed when, by whom and why."""

from __future__ import annotations

from nicegui import ui

from convexpy.errors import Error
from convexpy.protocol.admin_api import PushInfo
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages.rollback import roll_back
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import empty, note, tag
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every
from convexpy_cli.output.units import commit_text, local_time

EVERY_S = 3.0
COLUMNS = (
    Column("version", "Version", "number"),
    Column("state", "State"),
    Column("pushed", "Pushed", "number"),
    Column("message", "Message"),
    Column("actor", "By", "wide"),
    Column("commit", "Commit", "mono wide"),
    Column("branch", "Branch", "mono wide"),
)


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/history")
    def history() -> None:
        with frame(dashboard, "History", "history"):
            if not dashboard.deployment.allows("functions:view"):
                forbidden(dashboard, "see what was pushed")
                return
            HistoryView(dashboard)


class HistoryView:
    """The pushes, the newest first."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._deployment = dashboard.deployment
        self._deploys = self._deployment.allows("deploy")
        self._grid = Grid("Pushes", COLUMNS, on_action=self._roll_back if self._deploys else None)
        self._empty = tag("div")
        self._following = Following(
            lambda: every(EVERY_S, self._deployment.history), self._show, self._failed
        )

    def _show(self, pushes: list[PushInfo]) -> None:
        self._error.set_visibility(False)
        self._grid.show([push_row(each, deploys=self._deploys) for each in pushes])
        self._grid.set_visibility(bool(pushes))
        self._empty.clear()
        if not pushes:
            with self._empty:
                empty(
                    "Nothing was pushed yet",
                    "Each push of functions and schema is listed here.",
                    "convexpy dev",
                )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    async def _roll_back(self, version: str, _action: str) -> None:
        await roll_back(self._deployment, int(version), self._following.restart)


def push_row(push: PushInfo, *, deploys: bool) -> Row:
    """Return the row of a push."""
    active = push.state == "active"
    cells = [
        Cell(str(push.version)),
        Cell("live" if active else push.state, tone="badge good" if active else "badge"),
        Cell(local_time(push.pushed_at)),
        Cell(push.message) if push.message else Cell("-", tone="null"),
        Cell(push.actor),
        Cell(commit_text(push.commit, push.dirty)),
        Cell(push.branch),
    ]
    return Row(
        str(push.version), cells, actions=("Roll back",) if deploys and push.kept and not active else ()
    )
