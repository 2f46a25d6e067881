"""What every output can do, here as plain text: for pipes, files and dumb terminals."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from convexpy.printable import indented, one_line, printable
from convexpy_cli.output import masking
from convexpy_cli.output.settings import Settings

Mark = Literal["ok", "fail", "warn", "work"]
ADDRESS_COLUMN = 28
_MARKS: dict[Mark, tuple[str, str]] = {
    "ok": ("✔", "ok"),
    "fail": ("✖", "fail"),
    "warn": ("!", "warn"),
    "work": ("·", ".."),
}


def error_lines(error: dict[str, Any]) -> list[str]:
    """Return an error in the one form that all have: what, where with the source line, what next."""
    lines = [f"error[{error['code']}]: {error['message']}"]
    location = error.get("location") or {}
    if location.get("file"):
        place = ":".join(
            str(location[part]) for part in ("file", "line", "column") if location.get(part) is not None
        )
        lines.append(f"  {place}")
        lines += _source(location)
    data = error.get("data")
    if isinstance(data, dict):
        lines += [
            f"  {name:<26} {data[name]}" for name in ("found", "expected") if isinstance(data.get(name), str)
        ]
        lines += [f"  | {line}" for line in data.get("output") or [] if isinstance(line, str)]
    if error.get("hint"):
        lines.append(f"  {'try':<26} {error['hint']}")
    if error.get("requestId"):
        lines.append(f"  {'request':<26} {error['requestId']}")
    return lines


def _source(location: dict[str, Any]) -> list[str]:
    line, column = location.get("line"), location.get("column")
    if not isinstance(line, int):
        return []
    try:
        text = Path(location["file"]).read_text(encoding="utf-8").splitlines()[line - 1]
    except (OSError, IndexError, UnicodeDecodeError):
        return []
    shown = f"  {line:>5} │ {text.rstrip()}"
    if not isinstance(column, int) or column < 1:
        return [shown]
    return [shown, " " * 8 + "│ " + " " * (column - 1) + "^"]


class Output:
    """One command's voice: `result`, `text`, `table` and `event` write to stdout, the rest to stderr."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        for stream in (sys.stdout, sys.stderr):
            _use_utf8(stream)

    def result(self, value: Any, human: str | None = None) -> None:
        """Give the command's result: one JSON document, or `human` where a person reads (nothing if None)."""
        if human is not None:
            self.text(human)

    def page(self, value: Any, markdown: str) -> None:
        """Give a page of documentation; at a terminal it is rendered, and shown with a pager if it is long."""
        self.result(value, markdown)

    def fields(self, value: Any, fields: Mapping[str, Any]) -> None:
        """Give one thing: `value` for machines, a line for each field that is not None for people."""
        width = max(map(len, fields)) + 2
        shown = {name: text for name, text in fields.items() if text is not None}
        self.result(value, "\n".join(f"{name:<{width}}{text}" for name, text in shown.items()))

    def text(self, line: str) -> None:
        """Write a line of the result. Machine formats ignore it: they have `result` and `event`."""
        sys.stdout.write(printable(line) + "\n")
        sys.stdout.flush()

    def value(self, value: Any, text: str) -> None:
        """Give a value that was asked for by name: `text` exactly as it is in a pipe or a file, escaped on a terminal."""
        sys.stdout.write((printable(text) if sys.stdout.isatty() else text) + "\n")
        sys.stdout.flush()

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], value: Any, *, cards: bool = False
    ) -> None:
        """Give a list of things: rows for people, `value` for machines.

        With `cards`, what is wider than the terminal is shown there as a card for each thing, without its empty cells.
        """
        for row in rows:
            self.text("\t".join(one_line(cell) for cell in row))

    def event(self, name: str, **fields: Any) -> None:
        """Give one object of a stream: a line of jsonl. Nothing in the formats for people."""

    def clear(self) -> None:
        """Begin again at the top of the screen, if the result is shown on one."""

    def note(self, text: str) -> None:
        """Say something by the way; silent with `--quiet`."""
        if not self.settings.quiet:
            self._say(text)

    def address(self, name: str, url: str) -> None:
        """Say where something is to be found; silent with `--quiet`."""
        self.note(f"  {name:<{ADDRESS_COLUMN}} {url}")

    def detail(self, text: str) -> None:
        """Say something that only `--verbose` asks for."""
        if self.settings.verbose:
            self._say(text)

    def warn(self, text: str) -> None:
        """Warn; silent with `--quiet`."""
        if not self.settings.quiet:
            self._say(f"warning: {text}")

    @property
    def ends_with_step(self) -> bool:
        """Whether the last line that was shown is a step that can be replaced."""
        return False

    def step(self, mark: Mark, text: str, ms: float | None = None, *, replace: bool = False) -> None:
        """Report a step with its duration in milliseconds; silent with `--quiet` unless it failed.

        With `replace` it takes the place of the step before it, where `ends_with_step`.
        """
        if not self.settings.quiet or mark == "fail":
            duration = "" if ms is None else f"{ms:.0f} ms".rjust(max(1, 80 - len(text) - 2))
            self._say(f"{self._mark(mark)} {text}{duration}")

    @contextmanager
    def working(self, text: str, *, quick: bool = False) -> Generator[None]:
        """Say what is worked at: a spinner on a terminal, a line elsewhere; not for work that is mostly `quick`."""
        if not quick:
            self.note(text)
        yield

    def log_line(self, text: str, level: str, *, head: str = "", result: bool = False) -> None:
        """Show a log line of the deployment on stderr, or on stdout as a `result` of the command.

        `level` is DEBUG to ERROR, or LOG; `head` says when and where it was logged.
        """
        line = f"{head} {text}" if head else text
        line = indented(line) if level == "ERROR" else one_line(line)
        (self.text if result else self._say)(line)

    def error(self, error: dict[str, Any]) -> None:
        """Show an error: `code message location hint data requestId exitCode`. A person's own no is none."""
        sys.stdout.flush()
        if error["code"] == "Declined":
            self.note(error["message"])
            return
        self._say("\n".join(error_lines(error)))

    def _mark(self, mark: Mark) -> str:
        sign, word = _MARKS[mark]
        encoding = (getattr(sys.stderr, "encoding", None) or "ascii").lower()
        return sign if encoding.startswith("utf") else word

    def _say(self, text: str) -> None:
        sys.stderr.write(printable(masking.mask(text)) + "\n")
        sys.stderr.flush()


def _use_utf8(stream: TextIO) -> None:
    # Code pages of Windows cannot write most of what people store; the rest is replaced, never an error.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and sys.platform == "win32":
        reconfigure(encoding="utf-8", errors="replace")
    elif reconfigure is not None:
        reconfigure(errors="backslashreplace")
