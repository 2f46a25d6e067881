"""The documents of a table: filter bar, grid, pages, and what can be done with those that are chosen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from convexpy.client import DocumentQuery
from convexpy.errors import Error
from convexpy.printable import counted
from convexpy.protocol.admin_api import TableOutline
from convexpy.protocol.app_description import TableDescription
from convexpy_cli.dashboard import documents as texts
from convexpy_cli.dashboard.deployment import Page
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages.document import edit, insert
from convexpy_cli.dashboard.pages.filters import Filters
from convexpy_cli.dashboard.pages.view import View, sortable
from convexpy_cli.dashboard.ui.dialogs import ask, change, described as in_words
from convexpy_cli.dashboard.ui.elements import button, empty, enable, link, note, tag
from convexpy_cli.dashboard.ui.grid import Grid
from convexpy_cli.dashboard.ui.live import Following

COUNT = 50
SEARCHES_MAX = 12
"""So many times a page that a condition has thinned out is filled up, before a person is asked to go on."""


class DocumentsView:
    """The documents that a view selects, a page at a time; the page is read again whenever it changes."""

    def __init__(
        self,
        dashboard: Dashboard,
        table: TableOutline,
        described: TableDescription | None,
        view: View,
        tables: Mapping[int, str],
        actions: Element,
    ) -> None:
        self._deployment = dashboard.deployment
        self._writes = self._deployment.allows("data:write")
        self._table, self._described, self._view, self._tables = table, described, view, tables
        self._cursors: list[str | None] = [None]
        self._page = Page([], None)
        self._chosen: list[str] = []
        with actions:
            link("Schema and indexes", f"/schema/{quote(table.name)}", "button")
            if self._writes:
                button("Add document", self._insert, look="primary", symbol="plus")
        self._filters = Filters(table, view, self._filtered)
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._grid = self._make_grid()
        self._empty = tag("div")
        self._foot()
        self._show_columns()
        self._following = Following(self._watch, self._show, self._failed)

    def _make_grid(self) -> Grid:
        return Grid(
            f"Documents of {self._table.name}",
            (),
            on_open=self.open,
            on_sort=self._sort,
            on_choose=self._choose if self._writes else None,
        )

    def _foot(self) -> None:
        with tag("div", classes="pager"):
            self._place = tag("span", role="status")
            tag("span", classes="grow")
            self._delete = button("Delete", self._delete_chosen, look="danger small", symbol="trash")
            self._delete.set_visibility(False)
            self._back = button(
                "Newer" if self._view.order == "desc" else "Previous", self._previous, symbol="left"
            )
            self._on = button("Next page", self._next, symbol="right")

    # Reading

    async def _watch(self) -> AsyncGenerator[Page, None]:
        query, cursor = self._view.query(self._described), self._cursors[-1]
        async for page in self._deployment.watch_page(query, COUNT, cursor):
            async for filled in self._filled(query, page):
                yield filled
            if len(page.documents) > COUNT:
                return  # a page keeps its end while documents come in: begin again with one of the usual length

    async def _filled(self, query: DocumentQuery, page: Page) -> AsyncGenerator[Page, None]:
        """Yield a page; one that a condition has thinned out again and again, with documents that follow."""
        yield page
        searches = 0
        while (
            query.where and len(page.documents) < COUNT and page.next is not None and searches < SEARCHES_MAX
        ):
            more = await self._deployment.read_page(query, COUNT - len(page.documents), page.next)
            page = Page(page.documents + more.documents, more.next)
            searches += 1
            yield page

    def _show(self, page: Page) -> None:
        self._page = page
        self._error.set_visibility(False)
        self._show_columns()
        names = texts.columns(page.documents, self._described)
        self._grid.show(texts.rows(page.documents, names, self._tables))
        enable(self._back, len(self._cursors) > 1)
        enable(self._on, page.next is not None)
        self._place.text = self._described_place()
        self._show_empty(not page.documents and page.next is None)

    def _described_place(self) -> str:
        number, count = len(self._cursors), len(self._page.documents)
        searching = (
            " so far; the next page searches on"
            if self._view.where and self._page.next and count < COUNT
            else ""
        )
        return f"Page {number} · {counted(count, 'document')}{searching}"

    def _show_columns(self) -> None:
        names = texts.columns(self._page.documents, self._described)
        fields = sortable(self._table)
        by = next((name for name, index in fields.items() if index == self._view.index), "")
        self._grid.set_columns(texts.grid_columns(names, fields), by, self._view.order)

    def _show_empty(self, nothing: bool) -> None:
        self._empty.clear()
        self._grid.set_visibility(not nothing)
        if not nothing:
            return
        with self._empty:
            if self._view.where or self._view.bounds:
                empty("No documents match", "Change the filter, or reset it to see all documents.")
            elif len(self._cursors) > 1:
                empty("No more documents", "Those of this page were deleted. Go back a page.")
            else:
                empty("This table is empty", "Add a document here, or call a mutation that inserts one.")

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    # What a person does

    def _filtered(self, view: View) -> None:
        self._view = view
        self._cursors = [None]
        ui.navigate.history.replace(view.address)
        self._following.restart()

    def _sort(self, field: str) -> None:
        index = sortable(self._table)[field]
        same = index == self._view.index
        order = "asc" if not same or self._view.order == "desc" else "desc"
        view = replace(self._view, index=index, order=order, bounds=self._view.bounds if same else {})
        self._filters.show(view)
        self._filtered(view)

    def _next(self) -> None:
        if self._page.next is not None:
            self._cursors.append(self._page.next)
            self._following.restart()

    def _previous(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
            self._following.restart()

    def _choose(self, keys: list[str]) -> None:
        self._chosen = keys
        self._delete.set_visibility(bool(keys))

    async def open(self, id: str) -> None:
        """Open a document by its id."""
        await edit(self._deployment, id, self._tables)

    async def _insert(self) -> None:
        await insert(self._deployment, self._table.name, self._described)

    async def _delete_chosen(self) -> None:
        ids, name = list(self._chosen), self._deployment.identified.name
        what = "this document" if len(ids) == 1 else f"these {len(ids)} documents"
        if await ask(
            f"Delete {what}?",
            f"They are removed from {self._table.name} of {name} for good.",
            "Delete",
            danger=True,
        ):
            await change(
                self._deployment, lambda: self._deployment.delete(ids), done=f"{len(ids)} deleted from {name}"
            )
            self._grid.forget_chosen()
