"""How far a long piece of work is: a bar for a person at a terminal, now and then a line for everybody else."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from convexpy_cli.output.base import Output
    from convexpy_cli.output.settings import Settings

__all__ = ["Phases", "TransferBar", "phases", "transfer_bar"]

LINE_EVERY_S = 5.0


class Phases(Protocol):
    """Hears of the phases of one piece of work."""

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Say how much of a phase is done; `text` puts it in words."""
        ...


class _Lines:
    def __init__(self, output: Output) -> None:
        self._output = output
        self._phase = ""
        self._said = 0.0

    def show(self, phase: str, done: float, total: float | None, text: str) -> None:
        """Write a line when a phase begins, and every few seconds while it goes on."""
        now = time.monotonic()
        if phase == self._phase and now - self._said < LINE_EVERY_S:
            return
        self._output.note(f"{phase}: {text}" if phase == self._phase and text else phase)
        self._phase, self._said = phase, now


@contextmanager
def phases(output: Output, settings: Settings) -> Generator[Phases]:
    """Show phases for a `with` block."""
    if settings.machine or settings.quiet or not sys.stderr.isatty():
        yield _Lines(output)
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


class TransferBar(Protocol):
    """Hears how many bytes have passed; from any thread."""

    def add(self, count: int) -> None:
        """Count bytes."""
        ...


class _Silent:
    def add(self, count: int) -> None:
        """Show nothing."""


@contextmanager
def transfer_bar(settings: Settings, label: str, total: int | None) -> Generator[TransferBar, None, None]:
    """Show a bar for a `with` block; `total` is in bytes, None if it is not known."""
    if settings.machine or settings.quiet or settings.format != "human" or not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)

        class Shown:
            def add(self, count: int) -> None:
                """Move the bar."""
                progress.advance(task, count)

        yield Shown()
