"""Data: the tables, and the documents of one, live, by index and condition, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from starlette.requests import Request

from convexpy.errors import Error
from convexpy.protocol.admin_api import TableInfo, TableOutline
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages.documents_view import DocumentsView
from convexpy_cli.dashboard.pages.view import View
from convexpy_cli.dashboard.ui.dialogs import described
from convexpy_cli.dashboard.ui.elements import empty, note, tag
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.live import Following, every

COUNTS_EVERY_S = 2.0


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/data")
    async def tables(request: Request) -> None:
        await show(dashboard, None, request.query_params)

    @ui.page("/data/{table}")
    async def documents(request: Request, table: str) -> None:
        await show(dashboard, table, request.query_params)


async def show(dashboard: Dashboard, name: str | None, parameters: Mapping[str, str]) -> None:
    """Show the list of tables, and the documents of the named one or of the first."""
    deployment = dashboard.deployment
    if not deployment.allows("data:view"):
        with frame(dashboard, "Data", "data"):
            forbidden(dashboard, "read documents")
        return
    try:
        known = await deployment.table_outlines()
        app = await deployment.app()
    except Error as error:
        with frame(dashboard, "Data", "data"):
            note(described(error), "bad")
        return
    chosen = next((each for each in known if each.name == name), known[0] if known and name is None else None)
    with frame(dashboard, chosen.name if chosen else "Data", "data") as actions:
        if chosen is None and not known:
            empty(
                "No tables yet",
                "A table appears with its first document, or with the schema that you push.",
                "convexpy dev",
            )
            return
        with tag("div", classes="split"):
            names = TableList(known, chosen.name if chosen else "")
            if chosen is None:
                empty(f"There is no table {name}", "It may have been removed by a push. Choose another one.")
            else:
                tables_by_number = {each.number: each.name for each in known}
                view = View.read(chosen.name, parameters)
                with tag("div", classes="stack"):
                    documents = DocumentsView(
                        dashboard, chosen, app.tables.get(chosen.name), view, tables_by_number, actions
                    )
                if parameters.get("document"):
                    await documents.open(parameters["document"])
    Following(lambda: every(COUNTS_EVERY_S, deployment.tables), names.update)


class TableList:
    """The names of the tables, with how many documents each has."""

    def __init__(self, tables: Sequence[TableOutline], current: str) -> None:
        self._current = current
        self._counts: dict[str, TextElement] = {}
        self._names: list[str] = []
        self._list = tag("nav", classes="list", aria_label="Tables")
        self._list_names(tables)

    def update(self, tables: list[TableInfo]) -> None:
        """Show counts as they are now; tables that came and went, too."""
        self._list_names(tables)
        for each in tables:
            self._counts[each.name].text = f"{each.documents:,}"

    def _list_names(self, tables: Sequence[TableOutline]) -> None:
        names = [each.name for each in tables]
        if names != self._names:
            self._names = names
            self._list.clear()
            with self._list:
                self._counts = {each.name: self._entry(each.name) for each in tables}

    def _entry(self, name: str) -> TextElement:
        with tag("a", href=f"/data/{quote(name)}", aria_current="page" if name == self._current else None):
            tag("span", name)
            return tag("span", classes="count")
