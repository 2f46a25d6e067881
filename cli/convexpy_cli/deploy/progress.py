"""Progress of index builds. The push is one request; a second connection asks for the progress meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convexpy.client import DeploymentError
from convexpy_cli.output.progress import Progress, progress

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy_cli.context import Context

ASKED_EVERY_S = 0.5


@contextmanager
def build_progress(
    ctx: Context, client: AdminClient, tables: Mapping[str, int]
) -> Generator[None, None, None]:
    """Show progress for a `with` block in which indexes over `tables` (name → documents) are built."""
    total = sum(tables.values())
    if not total or ctx.settings.quiet or ctx.settings.machine:
        yield
        return
    ended = threading.Event()
    with progress(ctx.output, ctx.settings) as shown:
        watcher = threading.Thread(
            target=_watch, args=(client.clone(), dict(tables), shown, ended), daemon=True, name="progress"
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(client: AdminClient, tables: Mapping[str, int], shown: Progress, ended: threading.Event) -> None:
    walked = dict.fromkeys(tables, 0)
    try:
        while not ended.wait(ASKED_EVERY_S):
            walking = client.status().walking
            if walking and walking.table in walked:
                walked[walking.table] = min(walking.documents, tables[walking.table])
                done, total = sum(walked.values()), sum(tables.values())
                shown.show("building indexes", done, total, f"{done:,} of ~{total:,} documents")
    except DeploymentError:
        return  # the push reports the error
    finally:
        client.close()
