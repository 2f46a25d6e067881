"""The push of a deploy: sent until it is answered, for sending it twice is the same as once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convexpy.client import AdminClient, DeploymentError, PushFile, PushResult, Unreachable
from convexpy_cli import errors
from convexpy_cli.deploy.options import DeployOptions, Progress, version_text
from convexpy_cli.deploy.progress import build_progress
from convexpy_cli.deploy.pushing import push_config

if TYPE_CHECKING:
    from convexpy_cli.context import Context

RETRY_S = 60.0
LONG_BUILD_TIMEOUT_S = 24 * 3600.0


class Switch:
    """Makes the planned version live."""

    def __init__(self, ctx: Context, options: DeployOptions, progress: Progress) -> None:
        self._ctx = ctx
        self._options = options
        self._progress = progress

    def push(
        self,
        client: AdminClient,
        files: Mapping[str, PushFile],
        fields: Mapping[str, Any],
        changes: Sequence[Mapping[str, Any]],
    ) -> PushResult:
        """Push until there is an answer, for a minute; `fields` are those of the request.

        Raises:
            Failure: the indexes take longer than `--index-timeout`.
            DeploymentError: it was refused, or nobody knows.
        """
        config = push_config(self._ctx.project)
        tables = self._tell_builds(changes, config)
        self._progress.sent = True
        with build_progress(self._ctx, client, tables):
            return self._until_answered(client, files, config, fields)

    def _until_answered(
        self,
        client: AdminClient,
        files: Mapping[str, PushFile],
        config: Mapping[str, Any],
        fields: Mapping[str, Any],
    ) -> PushResult:
        timeout_s = self._options.index_timeout_s or LONG_BUILD_TIMEOUT_S
        until, pause_s = time.monotonic() + RETRY_S, 0.2
        while True:
            try:
                return client.push(files, config, options=fields, timeout_s=timeout_s)
            except DeploymentError as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise errors.Failure(
                        "IndexTimeout",
                        f"no answer after {timeout_s:g} s; the server continues to build the indexes and then switches",
                        hint="convexpy status",
                    ) from error
                again = isinstance(error, Unreachable) or error.retry_on == "backoff"
                if not again or time.monotonic() + pause_s > until:
                    self._refused(error)
                    raise
                self._ctx.output.detail(f"retrying in {pause_s:g} s: {error.message}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)

    def _refused(self, error: DeploymentError) -> None:
        self._progress.sent = isinstance(error, Unreachable)
        if error.code == "PushSuperseded":
            self._progress.before = version_text(error.data)

    def _tell_builds(self, changes: Sequence[Mapping[str, Any]], config: dict[str, Any]) -> dict[str, int]:
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
        if self._options.wait_indexes:
            tables = {change["name"].partition(".")[0]: int(change["documents"]) for change in long}
            self._ctx.output.note(f"building {', '.join(names)} over ~{sum(tables.values()):,} documents …")
            return tables
        config["stagedIndexes"] = names
        self._ctx.output.note(
            f"{', '.join(names)} will be built in the background and cannot be queried until the next deploy "
            "without --no-wait-indexes"
        )
        return {}
