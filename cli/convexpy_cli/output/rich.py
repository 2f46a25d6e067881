"""Output for a person at a terminal: tables and colours. The only module that imports rich."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from convexpy.printable import indented, one_line, printable
from convexpy_cli.output import masking
from convexpy_cli.output.base import ADDRESS_COLUMN, Mark, Output, error_lines
from convexpy_cli.output.settings import Settings, wants_color

_STYLES: dict[Mark, str] = {"ok": "green", "fail": "bold red", "warn": "yellow", "work": "dim"}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the end of a command whose reader has gone to the one place that knows it."""
        raise BrokenPipeError


_LEVELS = {"ERROR": "red", "WARN": "yellow", "DEBUG": "dim"}


class RichOutput(Output):
    """With rich. Text is never read as markup: it may hold brackets of the user's."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._out = _Console(file=sys.stdout, **_color(settings, sys.stdout.isatty()), highlight=False)
        self._err = _Console(file=sys.stderr, **_color(settings, sys.stderr.isatty()), highlight=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], value: Any) -> None:
        """See `Output.table`."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(columns):
            numeric = bool(rows) and all(row[number].replace(",", "").isdigit() for row in rows)
            table.add_column(
                column,
                justify="right" if numeric else "left",
                overflow="fold" if _holds_ids(column) else "ellipsis",
            )
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        with self._out.capture() as capture:
            self._out.print(table)
        text = capture.get()
        self._out.file.write(text)
        self._out.file.flush()
        shown = set(text.split()) if "…" in text else None
        shortened = [
            column
            for number, column in enumerate(columns)
            if shown is not None and not _holds_ids(column) and _is_cut(rows, number, shown)
        ]
        if shortened:
            self.note(f"shortened to fit: {', '.join(shortened)}; --json shows all")

    def warn(self, text: str) -> None:
        """See `Output.warn`."""
        if not self.settings.quiet:
            self._err.print(Text("warning: ", style="yellow").append(Text(_shown(text), style="default")))

    def address(self, name: str, url: str) -> None:
        """See `Output.address`."""
        if not self.settings.quiet:
            line = Text(f"  {_shown(name):<{ADDRESS_COLUMN}} ", style="bold")
            self._err.print(line.append(Text(_shown(url), style="not bold cyan")))

    def step(self, mark: Mark, text: str, ms: float | None = None) -> None:
        """See `Output.step`."""
        if self.settings.quiet and mark != "fail":
            return
        line = Text(self._mark(mark), style=_STYLES[mark]).append(Text(" " + _shown(text), style="default"))
        if ms is not None:
            line.append(Text(f"{ms:.0f} ms".rjust(max(1, 80 - len(text) - 2)), style="dim"))
        self._err.print(line)

    def log_line(self, text: str, level: str) -> None:
        """See `Output.log_line`."""
        self._err.print(Text(indented(masking.mask(text)), style=_LEVELS.get(level, "default")))

    def error(self, error: dict[str, Any]) -> None:
        """See `Output.error`."""
        first, *rest = error_lines(error)
        head, _, message = _shown(first).partition(": ")
        self._err.print(Text(head, style="bold red").append(Text(": " + message, style="default")))
        for line in rest:
            self._err.print(Text(_shown(line), style="dim" if "│" in line else "default"))


def _shown(text: str) -> str:
    return printable(masking.mask(text))


def _is_cut(rows: Sequence[Sequence[str]], number: int, shown: set[str]) -> bool:
    """Return whether a word of a column is not among those that are shown."""
    return any(word not in shown for row in rows for word in row[number].split())


def _holds_ids(column: str) -> bool:
    # An id that is cut is of no use.
    return column.lower().endswith("id")


def _color(settings: Settings, terminal: bool) -> dict[str, Any]:
    if wants_color(settings, terminal=terminal):
        return {"force_terminal": True}
    return {"no_color": True, "color_system": None}
