"""Progress of long work on stderr: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convexpy_cli.output.units import size_text

if TYPE_CHECKING:
    from convexpy_cli.output.base import Output
    from convexpy_cli.output.settings import Settings

LINE_EVERY_S = 5.0


class Progress:
    """Receives how far each phase of some work is, and shows nothing of it."""

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Show how much of a phase is done; `text` describes it."""


class _Lines(Progress):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._phase = ""
        self._shown_at = 0.0

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Write a line when a phase begins, and every few seconds while it continues."""
        now = time.monotonic()
        if phase == self._phase and now - self._shown_at < LINE_EVERY_S:
            return
        self._output.note(f"{phase}: {text}" if phase == self._phase and text else phase)
        self._phase, self._shown_at = phase, now


@contextmanager
def progress(output: Output, settings: Settings, *, lines: bool = True) -> Generator[Progress]:
    """Show progress during a `with` block; without `lines` on a terminal only."""
    if settings.machine or settings.quiet or not sys.stderr.isatty():
        yield _Lines(output) if lines else Progress()
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TextColumn("{task.fields[words]}"),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, rich.TaskID] = {}

        class Bars(Progress):
            def show(self, phase: str, done: float, total: float | None, text: str) -> None:
                """Move the bar of the phase; earlier ones are full."""
                if phase not in tasks:
                    for task in tasks.values():
                        bars.update(task, total=1, completed=1)
                    tasks[phase] = bars.add_task(phase, total=total, words="")
                bars.update(tasks[phase], completed=done, total=total, words=text)

        yield Bars()


class Bytes:
    """Counts the bytes of one phase, from any thread; `total` is None if it is unknown."""

    def __init__(self, shown: Progress, phase: str, total: int | None) -> None:
        self._shown, self._phase, self._total = shown, phase, total
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count bytes."""
        with self._lock:
            self._done += count
            of = "" if self._total is None else f" of {size_text(self._total)}"
            self._shown.show(self._phase, self._done, self._total, f"{size_text(self._done)}{of}")
