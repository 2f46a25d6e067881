"""How far a long piece of work is: a bar for a person at a terminal, now and then a line for everybody else."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from convexpy_cli.invocation import Invocation

__all__ = ["Phases", "phases"]

LINE_EVERY_S = 5.0


class Phases(Protocol):
    """Hears of the phases of one piece of work."""

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Say how much of a phase is done; `text` puts it in words."""
        ...


class _Lines:
    def __init__(self, run: Invocation) -> None:
        self._run = run
        self._phase = ""
        self._said = 0.0

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Write a line when a phase begins, and every few seconds while it goes on."""
        now = time.monotonic()
        if phase == self._phase and now - self._said < LINE_EVERY_S:
            return
        self._run.output.note(f"{phase}: {text}" if phase == self._phase and text else phase)
        self._phase, self._said = phase, now


@contextmanager
def phases(run: Invocation) -> Generator[Phases]:
    """Show phases for a `with` block."""
    settings = run.settings
    if settings.machine or settings.quiet or not sys.stderr.isatty():
        yield _Lines(run)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        shown: dict[str, TaskID] = {}

        class Bars:
            def show(self, phase: str, done: float, total: float | None, text: str) -> None:
                """Move the bar of the phase; those before it are full."""
                if phase not in shown:
                    for task in shown.values():
                        progress.update(task, total=1, completed=1)
                    shown[phase] = progress.add_task(phase, total=total, words="")
                progress.update(shown[phase], completed=done, total=total, words=text)

        yield Bars()
