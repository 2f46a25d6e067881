"""Output for programs: exactly one JSON document, or one object per line; errors are an object on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import msgspec

from convexpy.printable import json_printable
from convexpy_cli.output import masking
from convexpy_cli.output.base import Mark, Output
from convexpy_cli.output.settings import Settings


def dumps(value: Any) -> str:
    """Return compact JSON on one line, keys in the order given; control characters are escaped."""
    return json_printable(
        json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=msgspec.to_builtins)
    )


class JsonOutput(Output):
    """For `--json`: stdout is for the document alone, stderr stays sparse."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        # JSON is UTF-8, whatever the locale says; half a character of a surrogate pair is all that can't be written.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def result(self, value: Any, human: str | None = None) -> None:
        """See `Output.result`."""
        self._write(dumps(value))

    def text(self, line: str) -> None:
        """See `Output.text`."""

    def value(self, value: Any, text: str) -> None:
        """See `Output.value`."""
        self.result(value)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], value: Any, *, cards: bool = False
    ) -> None:
        """See `Output.table`."""
        self._write(dumps(value))

    def event(self, name: str, **fields: Any) -> None:
        """See `Output.event`."""
        self._write(dumps({"event": name, "ts": round(time.time() * 1000), **fields}))

    def step(self, mark: Mark, text: str, ms: float | None = None, *, replace: bool = False) -> None:
        """See `Output.step`."""
        self.detail(text)

    @contextmanager
    def working(self, text: str, *, quick: bool = False) -> Generator[None]:
        """See `Output.working`."""
        yield

    def log_line(self, text: str, level: str, *, head: str = "", result: bool = False) -> None:
        """See `Output.log_line`."""

    def error(self, error: dict[str, Any]) -> None:
        """See `Output.error`."""
        fields = ("code", "message", "location", "hint", "data", "requestId", "exitCode")
        document = masking.mask(dumps({"error": {name: error.get(name) for name in fields}}))
        sys.stdout.flush()
        sys.stderr.write(document + "\n")
        sys.stderr.flush()

    def _write(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
