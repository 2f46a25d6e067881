"""How far the building of indexes is: a bar on a terminal, a line now and then elsewhere.

The push itself is one request that is answered at the end; a second connection asks meanwhile.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convexpy.client import DeploymentError

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy_cli.context import Invocation

ASKED_EVERY_S = 0.5
LINE_EVERY_S = 15.0


@contextmanager
def build_progress(
    run: Invocation, client: AdminClient, tables: Mapping[str, int]
) -> Generator[None, None, None]:
    """Show progress for a `with` block in which indexes over `tables` (name → documents) are built."""
    total = sum(tables.values())
    if not total or run.settings.quiet or run.settings.machine:
        yield
        return
    ended = threading.Event()
    with _shown(run, total) as show:
        watcher = threading.Thread(
            target=_watch, args=(client.clone(), dict(tables), show, ended), daemon=True, name="progress"
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(
    client: AdminClient, tables: Mapping[str, int], show: Callable[[int], None], ended: threading.Event
) -> None:
    walked = dict.fromkeys(tables, 0)
    try:
        while not ended.wait(ASKED_EVERY_S):
            walking = client.status().get("walking")
            if walking and walking["table"] in walked:
                walked[walking["table"]] = min(walking["documents"], tables[walking["table"]])
                show(sum(walked.values()))
    except DeploymentError:
        return  # the push itself says what is wrong
    finally:
        client.close()


@contextmanager
def _shown(run: Invocation, total: int) -> Generator[Callable[[int], None], None, None]:
    if run.settings.format == "human" and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("building indexes", total=total)
            yield lambda done: progress.update(task, completed=done)
        return
    lines = _Lines(run, total)
    yield lines.show


class _Lines:
    """A line at every tenth, or after a while."""

    def __init__(self, run: Invocation, total: int) -> None:
        self._run = run
        self._total = total
        self._tenth = 0
        self._said = time.monotonic()

    def show(self, done: int) -> None:
        """Say how far it is, if that is news."""
        tenth, now = done * 10 // self._total, time.monotonic()
        if tenth > self._tenth or now - self._said > LINE_EVERY_S:
            self._tenth, self._said = tenth, now
            self._run.output.note(f"building indexes: {done:,} of ~{self._total:,} documents")
