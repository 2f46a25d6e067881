"""The work of `convexpy logs`: history first, then what comes, by cursor and without a gap."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from convexpy_cli import failure, log_lines
from convexpy_cli.output.json import dumps

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy_cli.invocation import Invocation

HISTORY_TERMINAL = 20
HISTORY_PIPE = 500


@dataclass(frozen=True)
class Wanted:
    """Which records are shown. Kinds of filters combine with and, several of one kind with or."""

    functions: tuple[str, ...] = ()
    level: str | None = None
    request: str | None = None
    success: bool = False

    def __post_init__(self) -> None:
        if self.level is not None and self.level.upper() not in log_lines.LEVELS:
            raise failure.usage(f"--level {self.level!r} is unknown", "debug, info, log, warn or error")

    def entry(self, entry: dict[str, Any]) -> bool:
        """Return whether an entry as a whole is of interest."""
        name = str(entry.get("identifier", ""))
        if self.functions and not any(fnmatchcase(name, glob) for glob in self.functions):
            return False
        return self.request is None or entry.get("requestId") == self.request

    def line(self, level: str) -> bool:
        """Return whether a line of this level is shown."""
        if self.level is None or level not in log_lines.LEVELS:
            return True
        return log_lines.LEVELS.index(level) >= log_lines.LEVELS.index(self.level.upper())


def read(
    run: Invocation,
    client: AdminClient,
    wanted: Wanted,
    *,
    follow: bool | None,
    history: int | None,
    jsonl: bool,
) -> None:
    """Print past records, then follow if asked to (default: on a terminal)."""
    terminal = sys.stdout.isatty()
    follow = terminal if follow is None else follow
    count = history if history is not None else HISTORY_TERMINAL if terminal else HISTORY_PIPE
    machine = jsonl or run.settings.machine
    page = client.logs(0.0)
    past = [entry for entry in page.entries if wanted.entry(entry)]
    for entry in past[-count:] if count else ():
        _show(entry, wanted, machine)
    while follow:
        page = client.logs(page.cursor)
        for entry in page.entries:
            if wanted.entry(entry):
                _show(entry, wanted, machine)


def _show(entry: dict[str, Any], wanted: Wanted, machine: bool) -> None:
    for line in [dumps(entry)] if machine else _lines(entry, wanted):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _lines(entry: dict[str, Any], wanted: Wanted) -> Iterator[str]:
    for level, line in log_lines.lines_of(entry, success=wanted.success):
        if wanted.line(level):
            yield line
