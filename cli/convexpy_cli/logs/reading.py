"""The work of `convexpy logs`: what is kept first, then what comes, by cursor, through restarts of the deployment."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convexpy.client import AdminClient, LogPage
from convexpy.printable import one_line
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.logs import entries
from convexpy_cli.output.json import dumps
from convexpy_cli.output.units import moment_ms

HISTORY_TERMINAL = 20
HISTORY_PIPE = 500
RETRY_S = (0.5, 1.0, 2.0, 4.0)
LEVELS = ("debug", "info", "log", "warn", "error")
KINDS = ("query", "mutation", "action", "http", "cron", "scheduled")
RECORD_FIELDS = (
    "ts",
    "level",
    "kind",
    "function",
    "requestId",
    "message",
    "ms",
    "reads",
    "writes",
    "status",
    "identity",
)


@dataclass(frozen=True)
class Wanted:
    """Which records are shown. Kinds of filters combine with and, several of one kind with or."""

    function: Sequence[str] | None = None
    kind: Sequence[str] | None = None
    level: Sequence[str] | None = None
    request: str | None = None
    status: str | None = None
    slow: float | None = None
    since: str | None = None
    until: str | None = None
    grep: str | None = None
    success: bool = False

    def filters(self) -> dict[str, Any]:
        """Return what the deployment filters by.

        Raises:
            Failure: one of them makes no sense (exit 2).
        """
        levels = [each.lower() for each in self.level or ()]
        for flag, given, known in (("--level", levels, LEVELS), ("--kind", self.kind or (), KINDS)):
            for each in given:
                if each not in known:
                    raise errors.usage(f"{flag} {each!r} is not valid", ", ".join(known))
        return {
            "function": self.function,
            "kind": self.kind,
            "level": levels,
            "requestId": self.request,
            "status": self.status,
            "slow": self.slow,
            "since": None if self.since is None else moment_ms(self.since),
            "until": None if self.until is None else moment_ms(self.until),
            "success": "1" if self.shows_success else "0",
        }

    @property
    def shows_success(self) -> bool:
        """Whether calls that logged nothing are shown: where one call, slow ones or good ones are asked for, they are meant."""
        return self.success or self.request is not None or self.slow is not None or self.status == "ok"

    def pattern(self) -> re.Pattern[str] | None:
        """Return the compiled `--grep`: it is looked for here, so that nobody's pattern can keep a deployment busy."""
        try:
            return None if self.grep is None else re.compile(self.grep)
        except re.error as error:
            raise errors.usage(f"--grep {self.grep!r} is not a valid regular expression: {error}") from error


class Printer:
    """Writes entries to stdout: lines, records, or entries as the deployment keeps them."""

    def __init__(self, ctx: Context, wanted: Wanted, *, raw: bool, columns: str | None) -> None:
        self._output = ctx.output
        self._wanted = wanted
        self._pattern = wanted.pattern()
        self._machine = ctx.settings.machine
        self._raw = raw
        self._columns = columns.split(",") if columns else None
        unknown = [name for name in self._columns or () if name not in RECORD_FIELDS]
        if unknown:
            raise errors.usage(f"--columns: no field {unknown[0]!r}", ", ".join(RECORD_FIELDS))

    def lines(self, entry: dict[str, Any]) -> list[str] | list[entries.Line]:
        """Return the lines of an entry."""
        if self._raw:
            return [text for text in [dumps(entry)] if self._fits(text)]
        if self._machine or self._columns:
            records = entries.records_of(entry, success=self._wanted.shows_success)
            fitting = [record for record in records if self._fits(record["message"])]
            if self._machine:
                return [dumps(record) for record in fitting]
            return ["\t".join(_cell(record[name]) for name in self._columns or ()) for record in fitting]
        shown = entries.lines_of(
            entry, success=self._wanted.shows_success, detailed=self._wanted.request is not None
        )
        return [line for line in shown if self._fits(str(line))]

    def show(self, lines: Sequence[str | entries.Line]) -> None:
        """Print lines and make sure that a reader has them."""
        for line in lines:
            if isinstance(line, entries.Line):
                self._output.log_line(line.text, line.level, head=line.head, result=True)
            else:
                sys.stdout.write(line + "\n")
        if lines:
            sys.stdout.flush()

    def _fits(self, text: str) -> bool:
        return self._pattern is None or self._pattern.search(text) is not None


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else dumps(value)
    return one_line(text)


def read(
    ctx: Context,
    client: AdminClient,
    wanted: Wanted,
    printer: Printer,
    *,
    follow: bool | None,
    history: int | None,
) -> None:
    """Print past records, then follow if asked to (default: on a terminal, and nothing ended the search)."""
    terminal = sys.stdout.isatty()
    if follow is None:
        follow = terminal and wanted.until is None and wanted.request is None
    filters = wanted.filters()
    count = history
    if history is None and wanted.since is None and wanted.request is None:
        count = HISTORY_TERMINAL if terminal else HISTORY_PIPE
    page = client.log_records(filters if count is None or wanted.grep else {**filters, "limit": count})
    past = [lines for entry in page.entries if (lines := printer.lines(entry))]
    for lines in past if count is None else past[-count:] if count else ():
        printer.show(lines)
    if not past and not follow:
        ctx.output.note(
            "no records" if wanted.shows_success else "no records; --success shows calls that logged nothing"
        )
    if follow and not ctx.settings.machine:
        ctx.output.note("waiting for logs")
    # From here on only what is new: an old `since` has done its work.
    filters = {**filters, "since": None}
    while follow:
        page = _next(ctx, client, filters, page)
        if page.restarted:
            ctx.output.warn("the deployment was restarted: entries from just before may be missing")
        elif page.lost:
            ctx.output.warn(
                f"{page.lost:,} records were lost because they arrived faster than they could be read"
            )
        for entry in page.entries:
            printer.show(printer.lines(entry))


def _next(ctx: Context, client: AdminClient, filters: dict[str, Any], page: LogPage) -> LogPage:
    """Return the next page; a deployment that does not answer is asked again until it does."""
    from convexpy.client import DeploymentError

    failures = 0
    while True:
        try:
            found = client.log_records(filters, page)
        except (DeploymentError, OSError, ValueError) as error:
            if isinstance(error, DeploymentError) and error.retry_on != "backoff":
                raise
            if failures == 0:
                ctx.output.note(f"{client.url} does not respond, retrying")
            time.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1
            continue
        if failures:
            ctx.output.note("connected again")
        return found
