"""The pages of the dashboard, each in a module of its own."""

from __future__ import annotations

from nicegui import ui
from starlette.responses import RedirectResponse

from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages import (
    data,
    files,
    functions,
    health,
    history,
    logs,
    schedules,
    schema,
    settings,
)

PAGES = (health, data, schema, functions, files, schedules, logs, history, settings)


def add_pages(dashboard: Dashboard) -> None:
    """Add every page to the application."""

    @ui.page("/")
    def home() -> RedirectResponse:
        return RedirectResponse("/health")

    for page in PAGES:
        page.add(dashboard)
