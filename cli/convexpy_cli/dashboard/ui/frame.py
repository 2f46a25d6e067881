"""The frame of every page: navigation, which deployment it is, the state of the connection, theme and keys."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from nicegui import ui
from nicegui.element import Element

from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.dialogs import dialog
from convexpy_cli.dashboard.ui.elements import badge, button, icon, note, tag

PAGES = ("health", "data", "functions", "files", "schedules", "logs", "history", "settings")
APART = "history"
"""The first page below the line: those of the deployment and not of the app."""
KEYS = {
    "/": "Go to the filter or search field",
    "g h": "Health",
    "g d": "Data",
    "g f": "Functions",
    "g i": "Files",
    "g s": "Schedules",
    "g l": "Logs",
    "g p": "History",
    "g e": "Settings",
    "Ctrl Enter": "Save or run, in a field of several lines",
    "Esc": "Close what is open",
    "?": "Show these keys",
}


@contextmanager
def frame(dashboard: Dashboard, title: str, current: str, *, subtitle: str = "") -> Generator[Element]:
    """Make the frame; gives the place for buttons beside the title. What is made inside is the page."""
    name = dashboard.deployment.identified.name
    ui.page_title(f"{title} · {name}")
    with tag("div", classes="frame"):
        with tag("div", classes="bar"):
            _script(button("", lambda: None, look="quiet", symbol="menu", label="Menu"), "toggleMenu()")
            tag("span", name, "name")
        with tag("div", classes="side"):
            _side(dashboard, current)
        with tag("main", classes="main"):
            _banner(dashboard)
            with tag("div", classes="head"):
                tag("h1", title)
                if subtitle:
                    tag("span", subtitle, "sub mono")
                tag("span", classes="grow")
                actions = tag("div", classes="row")
            with tag("div", classes="body"):
                yield actions


def _side(dashboard: Dashboard, current: str) -> None:
    identified = dashboard.deployment.identified
    with tag("div", classes="brand"):
        tag("span", identified.name, "name")
        tag("span", identified.url, "url")
        badge(identified.kind, "warn" if identified.guarded else "")
        if "data:write" not in identified.access.operations:
            badge("read-only" if identified.access.kind == "read-only" else f"{identified.access.kind} key")
    with tag("nav", aria_label="Pages"):
        for page in PAGES:
            if page == APART:
                tag("hr")
            with tag("a", href=f"/{page}", aria_current="page" if page == current else None):
                icon(page)
                tag("span", page.capitalize())
    with tag("footer"):
        _script(
            button("", lambda: None, look="quiet", symbol="sun", label="Switch between light and dark"),
            "switchTheme()",
        )
        button("", _show_keys, look="quiet", symbol="help", label="Keyboard shortcuts", id="keys")


def _script(element: Element, code: str) -> None:
    """Run code of `page.js` at a click; the server need not know."""
    element.on("click", js_handler=f"() => {code}")


def _show_keys() -> None:
    with dialog("Keyboard shortcuts") as opened:
        with tag("div", classes="keys"):
            for keys, text in KEYS.items():
                tag("kbd", keys)
                tag("span", text)
        with tag("div", classes="ends"):
            button("Close", opened.close)
    opened.open()


def _banner(dashboard: Dashboard) -> None:
    """Show what keeps the dashboard from the deployment, while it does."""
    banner = tag("div", dashboard.trouble, "banner", role="status")
    banner.set_visibility(bool(dashboard.trouble))

    def show(trouble: str) -> None:
        banner.text = trouble
        banner.set_visibility(bool(trouble))

    dashboard.trouble_changed.subscribe(show)


def forbidden(dashboard: Dashboard, what: str) -> None:
    """Say that the key does not allow to see this."""
    kind = dashboard.deployment.identified.access.kind
    note(f"The key of this dashboard is of the kind “{kind}”, which does not allow to {what}.", "warn")
