"""The push of a deploy: sent until it is answered, for sending it twice is the same as once."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import convert

from convexpy.client import AdminClient, DeploymentError, PushResult, Unreachable
from convexpy.protocol.admin_api import PushInfo
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deploy.contents import Contents
from convexpy_cli.deploy.options import DeployOptions, Progress, version_text
from convexpy_cli.output.progress import Progress as Shown, progress as shown_progress

RETRY_S = 60.0
LONG_BUILD_TIMEOUT_S = 24 * 3600.0
ASKED_EVERY_S = 0.5


def switch(
    ctx: Context,
    options: DeployOptions,
    progress: Progress,
    client: AdminClient,
    contents: Contents,
    fields: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
) -> PushResult:
    """Make the planned version live: push until there is an answer, for a minute; `fields` are those of the request.

    Raises:
        Failure: the indexes take longer than `--index-timeout`.
        DeploymentError: it was refused, or nobody knows.
    """
    config = dict(contents.config)
    tables = _tell_builds(ctx, options, changes, config)
    progress.sent = True
    timeout_s = options.index_timeout or LONG_BUILD_TIMEOUT_S
    until, pause_s = time.monotonic() + RETRY_S, 0.2
    with _build_progress(ctx, client, tables):
        while True:
            try:
                return client.push(contents.files, config, options=fields, timeout_s=timeout_s)
            except DeploymentError as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise errors.Failure(
                        "IndexTimeout",
                        f"no answer after {timeout_s:g} s; the server continues to build the indexes and then switches",
                        hint="convexpy status",
                    ) from error
                again = isinstance(error, Unreachable) or error.retry_on == "backoff"
                if not again or time.monotonic() + pause_s > until:
                    progress.sent = isinstance(error, Unreachable)
                    if error.code == "PushSuperseded":
                        other = convert(error.data, PushInfo)
                        progress.before = version_text(other.version, other.commit, other.dirty)
                    raise
                ctx.output.detail(f"retrying in {pause_s:g} s: {error.message}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)


def _tell_builds(
    ctx: Context, options: DeployOptions, changes: Sequence[Mapping[str, Any]], config: dict[str, Any]
) -> dict[str, int]:
    """Say which indexes take their time; return the tables that have to be walked, with their documents."""
    long = [
        change
        for change in changes
        if change["area"] == "indexes"
        and change.get("documents")
        and ((change["kind"] == "added" and not change["staged"]) or change.get("building"))
    ]
    if not long:
        return {}
    names = [change["name"] for change in long]
    if options.wait_indexes:
        tables = {change["name"].partition(".")[0]: int(change["documents"]) for change in long}
        ctx.output.note(f"building {', '.join(names)} over ~{sum(tables.values()):,} documents …")
        return tables
    config["stagedIndexes"] = names
    ctx.output.note(
        f"{', '.join(names)} will be built in the background and cannot be queried until the next deploy "
        "without --no-wait-indexes"
    )
    return {}


@contextmanager
def _build_progress(ctx: Context, client: AdminClient, tables: Mapping[str, int]) -> Generator[None]:
    """Show progress while indexes over `tables` (name → documents) are built.

    The push is one request; a second connection asks for the progress meanwhile.
    """
    if not tables or ctx.settings.quiet or ctx.settings.machine:
        with ctx.output.working("making the new version live"):
            yield
        return
    ended = threading.Event()
    with shown_progress(ctx.output, ctx.settings) as shown:
        arguments = (client.clone(), tables, shown, ended)
        watcher = threading.Thread(target=_watch, args=arguments, daemon=True, name="progress")
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(client: AdminClient, tables: Mapping[str, int], shown: Shown, ended: threading.Event) -> None:
    walked, total = dict.fromkeys(tables, 0), sum(tables.values())
    try:
        while not ended.wait(ASKED_EVERY_S):
            walking = client.status().walking
            if walking and walking.table in walked:
                walked[walking.table] = min(walking.documents, tables[walking.table])
                done = sum(walked.values())
                shown.show("building indexes", done, total, f"{done:,} of ~{total:,} documents")
    except DeploymentError:
        return  # the push reports the error
    finally:
        client.close()
