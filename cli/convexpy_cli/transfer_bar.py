"""A progress bar on stderr, where a person looks at a terminal; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from convexpy_cli.settings import Settings

__all__ = ["TransferBar", "transfer_bar"]


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
