"""Settings: environment variables, admin keys, and where the deployment is."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element
from starlette.requests import Request

from convexpy.errors import Error
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages.keys import KeyView
from convexpy_cli.dashboard.pages.variables import VariableView
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import facts, note, tabs
from convexpy_cli.dashboard.ui.frame import forbidden, frame

TABS = {
    "Environment variables": "/settings",
    "Keys": "/settings?tab=keys",
    "General": "/settings?tab=general",
}


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/settings")
    async def settings(request: Request) -> None:
        tab = request.query_params.get("tab", "")
        with frame(dashboard, "Settings", "settings") as actions:
            if tab == "keys":
                tabs(TABS, "Keys")
                _keys(dashboard, actions)
            elif tab == "general":
                tabs(TABS, "General")
                await _general(dashboard)
            else:
                tabs(TABS, "Environment variables")
                _variables(dashboard, actions)


def _variables(dashboard: Dashboard, actions: Element) -> None:
    deployment = dashboard.deployment
    if deployment.allows("env:view") or deployment.allows("env:write"):
        VariableView(deployment, actions)
    else:
        forbidden(dashboard, "see environment variables")


def _keys(dashboard: Dashboard, actions: Element) -> None:
    if dashboard.deployment.allows("keys:manage"):
        KeyView(dashboard.deployment, actions)
    else:
        forbidden(dashboard, "manage keys")


async def _general(dashboard: Dashboard) -> None:
    identified = dashboard.deployment.identified
    found = {
        "Name": identified.name,
        "Kind": identified.kind,
        "Address": identified.url,
        "Key": identified.access.kind,
    }
    try:
        cloud, site = await dashboard.deployment.urls()
        found |= {"URL for clients": cloud, "URL of HTTP actions": site}
    except Error as error:
        note(in_words(error), "bad")
    facts(found)
