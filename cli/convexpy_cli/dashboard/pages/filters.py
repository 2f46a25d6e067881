"""The filter bar of a table: an index, bounds for its fields, a condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from convexpy.protocol.admin_api import TableOutline
from convexpy_cli.dashboard.pages.view import BOUNDS, DEFAULT_INDEX, View, indexes_of
from convexpy_cli.dashboard.ui.elements import button, tag
from convexpy_cli.dashboard.ui.fields import Field

EXAMPLE = 'status == "failed" and size > 10'
ORDERS = {"desc": "Descending", "asc": "Ascending"}


class Filters:
    """Says what is filtered whenever it is applied."""

    def __init__(self, table: TableOutline, view: View, applied: Callable[[View], None]) -> None:
        self._indexes = indexes_of(table)
        self._view, self._applied = view, applied
        self._bounds: dict[str, tuple[Field, Field]] = {}
        names = {name: "Creation time" if name == DEFAULT_INDEX else name for name in self._indexes}
        with tag("div", classes="filters", role="search", aria_label="Filter"):
            self._index = Field(
                "Index", view.index, kind="select", options=names, on_change=self._index_chosen
            )
            self._order = Field(
                "Order", view.order, kind="select", options=ORDERS, on_change=self._order_chosen
            )
            self._fields = tag("div", classes="bounds")
            self._where = Field("Condition", view.where, kind="search", placeholder=EXAMPLE, mono=True)
            self._where.on("enter", self._apply)
            button("Apply", self._apply, symbol="filter")
            button("Reset", self._reset, look="quiet")
        self._show_bounds()

    def show(self, view: View) -> None:
        """Show another view, for instance since a person has sorted by another column."""
        self._view = view
        self._index.value, self._order.value, self._where.value = view.index, view.order, view.where
        self._show_bounds()

    def _show_bounds(self) -> None:
        self._fields.clear()
        self._bounds = {}
        with self._fields:
            for name in self._indexes.get(self._view.index, ()):
                kind, text = self._view.bounds.get(name, ("eq", ""))
                with tag("div", classes="bound", role="group", aria_label=f"Bound of {name}"):
                    chosen = Field(f"Comparison of {name}", kind, kind="select", options=BOUNDS, bare=True)
                    value = Field(name, text, mono=True, placeholder="any")
                    value.on("enter", self._apply)
                self._bounds[name] = (chosen, value)

    def _index_chosen(self) -> None:
        if self._index.value != self._view.index:
            self._view = replace(self._view, index=self._index.text, bounds={})
            self._show_bounds()
            self._apply()

    def _order_chosen(self) -> None:
        if self._order.value != self._view.order:
            self._apply()

    def _apply(self) -> None:
        bounds = {name: (kind.text, value.text) for name, (kind, value) in self._bounds.items() if value.text}
        self._view = replace(
            self._view, order=self._order.text, bounds=bounds, where=self._where.text.strip()
        )
        self._applied(self._view)

    def _reset(self) -> None:
        self.show(View(table=self._view.table))
        self._applied(self._view)
