"""What every output can do. Commands know only this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

Mark = Literal["ok", "fail", "warn", "work"]


class Output(Protocol):
    """One command's voice: `result`, `text`, `table` and `event` write to stdout, the rest to stderr."""

    def result(self, value: Any, human: str | None = None) -> None:
        """Give the command's result: one JSON document, or `human` where a person reads (nothing if None)."""
        ...

    def fields(self, value: Any, fields: Mapping[str, Any]) -> None:
        """Give one thing: `value` for machines, a line for each field that is not None for people."""
        ...

    def text(self, line: str) -> None:
        """Write a line of the result. Machine formats ignore it: they have `result` and `event`."""
        ...

    def value(self, value: Any, text: str) -> None:
        """Give a value that was asked for by name: `text` exactly as it is in a pipe or a file, escaped on a terminal."""
        ...

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], value: Any) -> None:
        """Give a list of things: rows for people, `value` for machines."""
        ...

    def event(self, name: str, **fields: Any) -> None:
        """Give one object of a stream: a line of jsonl. Nothing in the formats for people."""
        ...

    def note(self, text: str) -> None:
        """Say something by the way; silent with `--quiet`."""
        ...

    def detail(self, text: str) -> None:
        """Say something that only `--verbose` asks for."""
        ...

    def warn(self, text: str) -> None:
        """Warn; silent with `--quiet`."""
        ...

    def step(self, mark: Mark, text: str, ms: float | None = None) -> None:
        """Report a step with its duration in milliseconds; silent with `--quiet` unless it failed."""
        ...

    def log_line(self, text: str, level: str) -> None:
        """Show a log line of the deployment on stderr. `level` is DEBUG to ERROR, or LOG."""
        ...

    def error(self, error: dict[str, Any]) -> None:
        """Show an error: `code message location hint data requestId exitCode`."""
        ...
