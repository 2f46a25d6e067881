"""Tables of any rows: dense, with cells that link, a row that opens, and rows that can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui.element import Element


@dataclass(frozen=True)
class Column:
    """A column; `look` is `mono`, `number`, `wide` (hidden in narrow windows), or several of them."""

    name: str
    label: str
    look: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Cell:
    """What a cell shows: text, as a link with `href`; `tone` as of a badge, `null`, `string`, `value`."""

    text: str
    href: str | None = None
    tone: str = ""
    title: str | None = None
    image: str | None = None
    """The address of a small picture that is shown in place of the text."""

    def to_json(self) -> dict[str, Any]:
        """Return it as the page takes it."""
        fields = {
            "text": self.text,
            "href": self.href,
            "tone": self.tone,
            "title": self.title,
            "image": self.image,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Row:
    """A row by its key."""

    key: str
    cells: Sequence[Cell | str]
    tone: str = ""
    actions: Sequence[str] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return it as the page takes it."""
        cells = [(Cell(each) if isinstance(each, str) else each).to_json() for each in self.cells]
        return {"key": self.key, "cells": cells, "tone": self.tone, "actions": list(self.actions)}


class Grid(Element, component="grid.js"):
    """A table.

    `on_open` gets the key of a row, which the cell of the column `opener` opens too; `on_action` a key and what was pressed;
    `on_choose` all keys that are chosen.
    """

    def __init__(
        self,
        label: str,
        columns: Sequence[Column],
        *,
        opener: int = 0,
        on_open: Callable[[str], Any] | None = None,
        on_sort: Callable[[str], Any] | None = None,
        on_choose: Callable[[list[str]], Any] | None = None,
        on_action: Callable[[str, str], Any] | None = None,
    ) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["opener"] = opener
        self.props["openable"] = on_open is not None
        self.props["choosable"] = on_choose is not None
        self.set_columns(columns)
        self.show(())
        if on_open is not None:
            self.on("open", lambda event: on_open(event.args))
        if on_sort is not None:
            self.on("sort", lambda event: on_sort(event.args))
        if on_choose is not None:
            self.on("choose", lambda event: on_choose(list(event.args)))
        if on_action is not None:
            self.on("act", lambda event: on_action(event.args[0], event.args[1]))

    def set_columns(self, columns: Sequence[Column], sorted_by: str = "", order: str = "") -> None:
        """Set the columns, and by which one the rows are sorted (`asc` or `desc`)."""
        self.props["columns"] = [
            {"name": each.name, "label": each.label, "look": each.look, "sortable": each.sortable}
            for each in columns
        ]
        self.props["sorted"] = {"by": sorted_by, "order": order}

    def show(self, rows: Sequence[Row]) -> None:
        """Set the rows."""
        self.props["rows"] = [each.to_json() for each in rows]

    def forget_chosen(self) -> None:
        """Choose nothing."""
        self.run_method("clear")
