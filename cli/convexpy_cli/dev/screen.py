"""What the watch loop says, to people and to programs."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from convexpy.client import PushResult
from convexpy.project import CheckResult
from convexpy_cli.dev.states import ShowBlocked, ShowLive
from convexpy_cli.output.base import Output

_WAITING = {
    "files": "waiting for a file change",
    "data": "waiting for a file change, or for the documents to be repaired",
    "env": "waiting for a file change, or for the variable: convexpy env set",
    "backoff": "trying again in {delay:.1f} s",
}
_ERRORS_SHOWN = 5
BURST_S = 1.0


class Screen:
    """Turns what happens into lines and events. `in_place`: nobody else writes to the terminal, so lines may be replaced."""

    def __init__(self, output: Output, *, in_place: bool = True) -> None:
        self._output = output
        self._in_place = in_place
        self._live_since: str | None = None
        self._burst: tuple[tuple[str, ...], int] = ((), 0)
        self._shown_at = float("-inf")

    def server(self, kind: str, name: str, url: str, site_url: str, pid: int | None) -> None:
        """Say where the deployment is."""
        self._output.event("server", pid=pid, url=url, siteUrl=site_url)
        self._output.address(f"{kind} · {name}", url)
        if site_url:
            self._output.address("HTTP actions", site_url)

    def page(self, url: str) -> None:
        """Say where the page is."""
        self._output.event("page", url=url)
        self._output.address("Page", url)

    def round_started(self, round: int, cause: str) -> None:
        """Say why a push begins (with --verbose)."""
        self._output.event("roundStarted", round=round, cause=cause)
        self._output.detail(f"· round {round}: {cause}")

    def live(self, shown: ShowLive, ms: float) -> None:
        """Say that a push went live; `ms` is the time since its files were read."""
        result: PushResult = shown.result
        first = self._live_since is None
        for warning in result.warnings:
            self._output.step("warn", warning)
        self._live_since = _clock()
        self._output.event(
            "pushed", round=shown.round, ms=round(ms, 1), version=result.version, changes=result.changes
        )
        if first:
            counts = result.counts
            text = ", ".join(
                _counted(counts.get(name, 0), name) for name in ("functions", "tables", "indexes")
            )
            self._output.step("ok", f"{self._live_since} ready: {text}", ms)
            return
        # Saves in quick succession, as of a formatter, are one line.
        now = time.monotonic()
        again = self._in_place and self._output.ends_with_step and now - self._shown_at < BURST_S
        before, count = self._burst if again else ((), 0)
        names = tuple(dict.fromkeys([*before, *(shown.snapshot.changed or (shown.snapshot.cause,))]))
        self._burst, self._shown_at = (names, count + 1), now
        what = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        times = f", {count + 1} times" if count else ""
        outcome = "unchanged" if result.unchanged and not count else f"pushed ({len(names)} changed{times})"
        self._output.step("ok", f"{self._live_since} {what} → {outcome}", ms, replace=again)

    def blocked(self, shown: ShowBlocked) -> None:
        """Say why a push was refused, what serves, and what is waited for."""
        self._output.event("pushFailed", round=shown.round, error=shown.error, retryOn=shown.retry_on)
        waiting = _WAITING.get(shown.retry_on, "").format(delay=shown.delay_s or 0)
        serving = f", still serving {self._live_since}" if shown.was_live and self._live_since else ""
        self._output.step("fail", f"{_clock()} not pushed{serving}".ljust(60) + f" {waiting}")
        self._output.error(shown.error)

    def error(self, error: dict[str, Any]) -> None:
        """Show an error that ends the loop."""
        self._output.error(error)

    def codegen(self, written: list[str]) -> None:
        """Say which generated files changed."""
        self._output.event("codegen", written=written)
        if written:
            self._output.detail(f"· wrote {', '.join(written)}")

    def check(self, result: CheckResult) -> None:
        """Show what the type checker found; Python runs without types, so these are warnings."""
        errors = result.errors
        self._output.event("check", errors=[each.to_json() for each in result.diagnostics])
        if not errors:
            return
        self._output.step("warn", f"{_clock()} live, with {result.counted}")
        for each in errors[:_ERRORS_SHOWN]:
            self._output.note(f"  {each}")
        if len(errors) > _ERRORS_SHOWN:
            self._output.note(f"  and {len(errors) - _ERRORS_SHOWN} more (convexpy typecheck)")

    def stopped(self, exit_code: int) -> None:
        """Say that the loop has ended."""
        self._output.event("stopped", exitCode=exit_code)


def _counted(count: int, things: str) -> str:
    one = {"functions": "function", "tables": "table", "indexes": "index"}[things]
    return f"{count} {one if count == 1 else things}"


def _clock() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
