"""Output for a person at a terminal: tables and colours. The only module that imports rich."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from convexpy.printable import indented, one_line, printable
from convexpy_cli.output import masking
from convexpy_cli.output.base import ADDRESS_COLUMN, Mark, Output, error_lines
from convexpy_cli.output.settings import Settings, wants_color

_STYLES: dict[Mark, str] = {"ok": "green", "fail": "bold red", "warn": "yellow", "work": "dim"}


class _Console(Console):
    ends_with_step = False

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print, and remember that the last line is another one now."""
        self.ends_with_step = False
        super().print(*objects, **settings)

    def on_broken_pipe(self) -> None:
        """Leave the end of a command whose reader has gone to the one place that knows it."""
        raise BrokenPipeError


SPINNER_AFTER_S = 0.3
PAGE_WIDTH_MAX = 100
_LEVELS = {"ERROR": "red", "WARN": "yellow", "DEBUG": "dim"}


class RichOutput(Output):
    """With rich. Text is never read as markup: it may hold brackets of the user's."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._out = _Console(file=sys.stdout, **_color(settings, sys.stdout.isatty()), highlight=False)
        self._err = _Console(file=sys.stderr, **_color(settings, sys.stderr.isatty()), highlight=False)

    def page(self, value: Any, markdown: str) -> None:
        """See `Output.page`."""
        if not (sys.stdout.isatty() and sys.stdin.isatty()):
            super().page(value, markdown)
            return
        from rich.markdown import Markdown
        from rich.theme import Theme

        rendered = Markdown(printable(markdown), code_theme="ansi_dark")
        width = min(self._out.width, PAGE_WIDTH_MAX)
        os.environ.setdefault("LESS", "-FRX")  # colours as they are; ends by itself if all fits on the screen
        theme = Theme({"markdown.code": "cyan"})  # without a background: the terminal may be light
        with self._out.use_theme(theme), self._out.pager(styles=not self._out.no_color):
            self._out.print(rendered, width=width)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], value: Any, *, cards: bool = False
    ) -> None:
        """See `Output.table`."""
        shown = [[one_line(cell) for cell in row] for row in rows]
        if cards and _width(columns, shown) > self._out.width:
            self._cards(columns, shown)
            return
        whole = [number for number, column in enumerate(columns) if _is_whole(column)]
        least = sum(_widths(columns, shown)[number] for number in whole) + 8 * (len(columns) - len(whole))
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(columns):
            numeric = bool(shown) and all(row[number].replace(",", "").isdigit() for row in shown)
            table.add_column(
                column,
                justify="right" if numeric else "left",
                overflow="fold" if _is_whole(column) else "ellipsis",
                no_wrap=_is_whole(column) and least <= self._out.width,
            )
        for row in shown:
            table.add_row(*map(Text, row))
        with self._out.capture() as capture:
            self._out.print(table)
        text = capture.get()
        self._out.file.write(text)
        self._out.file.flush()
        words = set(text.split()) if "…" in text else None
        shortened = [
            column
            for number, column in enumerate(columns)
            if words is not None and not _is_whole(column) and _is_cut(shown, number, words)
        ]
        if shortened:
            self.note(f"shortened to fit: {', '.join(shortened)}; --json shows all")

    def _cards(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        indent = max(map(len, columns)) + 2
        room = max(20, self._out.width - indent)
        line = "-" if self._out.options.ascii_only else "─"
        for number, row in enumerate(rows, 1):
            self._out.print(Text(f"{line} {number} ".ljust(self._out.width, line), style="dim"))
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    # Between words only, and the rest is the terminal's: an id is copied as one.
                    text = ("\n" + " " * indent).join(
                        textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False)
                    )
                    name = column.ljust(indent)
                    self._out.print(Text.assemble((name, "bold"), text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """See `Output.warn`."""
        if not self.settings.quiet:
            self._err.print(Text("warning: ", style="yellow").append(Text(_shown(text), style="default")))

    def address(self, name: str, url: str) -> None:
        """See `Output.address`."""
        if not self.settings.quiet:
            line = Text(f"  {_shown(name):<{ADDRESS_COLUMN}} ", style="bold")
            self._err.print(line.append(Text(_shown(url), style="not bold cyan")))

    def clear(self) -> None:
        """See `Output.clear`."""
        if not self._out.is_dumb_terminal:
            self._out.clear()

    @property
    def ends_with_step(self) -> bool:
        """See `Output.ends_with_step`."""
        return self._err.ends_with_step and not self._err.is_dumb_terminal

    def step(self, mark: Mark, text: str, ms: float | None = None, *, replace: bool = False) -> None:
        """See `Output.step`."""
        if self.settings.quiet and mark != "fail":
            return
        line = Text(self._mark(mark), style=_STYLES[mark]).append(Text(" " + _shown(text), style="default"))
        if ms is not None:
            room = min(80, self._err.width - 1) - line.cell_len
            line.append(Text(" " + f"{ms:.0f} ms".rjust(room - 1), style="dim"))
        if replace and self.ends_with_step:
            self._err.control(Control.move(0, -1), Control((ControlType.ERASE_IN_LINE, 2)))
        self._err.print(line)
        self._err.ends_with_step = self._err.is_terminal and line.cell_len < self._err.width

    @contextmanager
    def working(self, text: str, *, quick: bool = False) -> Generator[None]:
        """See `Output.working`."""
        if self.settings.quiet or not self._err.is_terminal or self._err.is_dumb_terminal:
            with super().working(text, quick=quick):
                yield
            return
        spinner = self._err.status(Text(_shown(text), "dim", no_wrap=True, overflow="ellipsis"))
        shows = threading.Timer(SPINNER_AFTER_S, spinner.start)
        shows.daemon = True
        shows.start()
        try:
            yield
        finally:
            shows.cancel()
            shows.join()
            spinner.stop()

    def log_line(self, text: str, level: str, *, head: str = "", result: bool = False) -> None:
        """See `Output.log_line`."""
        clock, _, place = printable(head).partition(" ")
        line = Text.assemble((clock, "dim"), " ", (place, "cyan"), " ") if head else Text()
        said = indented(text if result else masking.mask(text))
        # The terminal wraps: what is copied from it is then one line.
        (self._out if result else self._err).print(
            line.append(said, _LEVELS.get(level, "default")), soft_wrap=True
        )

    def _say(self, text: str) -> None:
        self._err.ends_with_step = False
        super()._say(text)

    def error(self, error: dict[str, Any]) -> None:
        """See `Output.error`."""
        if error["code"] == "Declined":
            super().error(error)
            return
        first, *rest = error_lines(error)
        head, _, message = _shown(first).partition(": ")
        self._err.print(Text(head, style="bold red").append(Text(": " + message, style="default")))
        for line in rest:
            self._err.print(Text(_shown(line), style="dim" if "│" in line else "default"))


def _shown(text: str) -> str:
    return printable(masking.mask(text))


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how wide a table is with nothing shortened or wrapped."""
    return sum(_widths(columns, rows)) + 3 * len(columns)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]


def _is_cut(rows: Sequence[Sequence[str]], number: int, shown: set[str]) -> bool:
    """Return whether a word of a column is not among those that are shown."""
    return any(word not in shown for row in rows for word in row[number].split())


def _is_whole(column: str) -> bool:
    # An id or a time that is cut is of no use.
    return column.lower().endswith("id") or column == "_creationTime"


def _color(settings: Settings, terminal: bool) -> dict[str, Any]:
    if wants_color(settings, terminal=terminal):
        return {"force_terminal": True}
    return {"no_color": True, "color_system": None}
