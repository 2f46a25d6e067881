"""From the global flags to a deployment that answers: choosing it, and starting a local one for a command's time."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convexpy.project import LocalDeployment, Target, TargetRequest, resolve_target
from convexpy_cli import failure, notices
from convexpy_cli.prompts import line_of_stdin
from convexpy_cli.waiting import wait_for

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy_cli.invocation import Invocation

START_DEADLINE_S = 30.0


def choose(run: Invocation, *, deploying: bool = False) -> Target:
    """Return the target that flags, environment and files choose; its notes are printed.

    A project is needed only where nothing else says which deployment is meant, and for the local one.
    """
    settings = run.settings
    key = settings.admin_key
    if key == "-":
        key = line_of_stdin("--admin-key")
    elif key is not None:
        notices.key_on_command_line(run.output, "--admin-key")
    request = TargetRequest(
        deployment=settings.deployment,
        url=settings.url,
        admin_key=key,
        env_file=Path(settings.env_file) if settings.env_file else None,
        environment=os.environ,
        deploying=deploying,
    )
    project = run.project_or_none
    target = resolve_target(project, request)
    if project is None and target.kind == "local":
        _ = run.project  # raises and says where it was looked for
    for note in target.notes:
        run.output.note(note)
    return target


@contextmanager
def connected(
    run: Invocation, command: str, *, writes: bool = False, target: Target | None = None
) -> Generator[tuple[Target, AdminClient], None, None]:
    """Yield the target and a client of it.

    A local deployment that does not run is started, and stopped again at the end. With `writes` the target is named
    first, and a protected one has to be consented to. `target` is one that is chosen already.
    """
    target = target or run.target()
    if writes:
        _announce(run, target)
    if target.kind == "remote":
        require_key(target)
        yield target, run.client(target)
        return
    local = LocalDeployment(run.project)
    holder = local.acquire(command, time.time())
    if holder is not None:
        target = attach(local, target)
        yield target, run.client(target)
        return
    from convexpy_cli.local_server import LocalServer

    try:
        server = LocalServer.start(local)
        try:
            target = replace(target, url=server.url, site_url=server.site_url, admin_key=local.admin_key())
            yield target, run.client(target)
        finally:
            server.stop()
    finally:
        local.release()


def attach(local: LocalDeployment, target: Target) -> Target:
    """Return the local target as the one who holds the lock serves it; waits until its server is up."""
    holder = wait_for(lambda: _listening(local), START_DEADLINE_S)
    if holder is None:
        raise failure.Failure(
            "Unreachable",
            "the local deployment is locked by a process whose server does not listen",
            failure.UNREACHABLE,
            hint="stop the other `convexpy dev`, then try again",
        )
    url = f"http://127.0.0.1:{holder[0]}"
    return replace(target, url=url, site_url=f"http://127.0.0.1:{holder[1]}", admin_key=local.admin_key())


def _listening(local: LocalDeployment) -> tuple[int, int] | None:
    holder = local.holder()
    return (holder.port, holder.sitePort) if holder is not None and holder.port else None


def _announce(run: Invocation, target: Target) -> None:
    kind = "production" if target.production else target.kind
    parts = dict.fromkeys(part for part in (target.name, kind, target.url) if part)
    run.output.note(" · ".join(parts))
    if target.protected and not run.prompts.confirm(
        f"{target.name} is protected. Write to it?", default=False
    ):
        raise failure.Failure(
            "DeploymentProtected", f'"{target.name}" is protected', failure.REFUSED, hint="--yes writes to it"
        )


def require_key(target: Target) -> None:
    """Raise if no key is known for a remote target."""
    if not target.admin_key:
        raise failure.Failure(
            "TargetIncomplete",
            f"no key is known for {target.url} ({target.url_source})",
            failure.CONFIGURATION,
            hint=f"convexpy login {target.url}, or CONVEXPY_URL and CONVEXPY_DEPLOY_KEY",
        )
