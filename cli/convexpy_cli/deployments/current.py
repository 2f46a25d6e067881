"""What `deployment show` tells: the target, and whether it answers."""

from __future__ import annotations

import os

from convexpy.client import DeploymentError
from convexpy.project import (
    LocalDeployment,
    Target,
    TargetRequest,
    quote_value,
    resolve_target,
)
from convexpy_cli import errors
from convexpy_cli.context import Context, served


def current(ctx: Context, ref: str | None = None) -> tuple[Target, str | None]:
    """Return the target, or the one that `ref` names, and the version of its server; None if that does not answer."""
    target = ctx.target() if ref is None else named(ctx, ref)
    if target.kind == "local":
        running = served(LocalDeployment(ctx.project), target)
        if running is None:
            return target, None
        target = running
    try:
        return target, ctx.client(target).version()
    except DeploymentError:
        return target, None


def named(ctx: Context, ref: str) -> Target:
    """Return the deployment of a name or URL.

    Raises:
        ProjectError: there is none.
    """
    return resolve_target(ctx.project_or_none, TargetRequest(deployment=ref, environment=os.environ))


def write_env(ctx: Context, target: Target) -> None:
    """Write the pair of variables that the official command line reads. Never a production key."""
    if target.production or not target.url or not target.admin_key:
        raise errors.Failure(
            "ConsentRequired" if target.production else "Unreachable",
            "production keys are not printed" if target.production else "the deployment is not running",
        )
    ctx.output.text(f"CONVEX_SELF_HOSTED_URL={quote_value(target.url)}")
    ctx.output.text(f"CONVEX_SELF_HOSTED_ADMIN_KEY={quote_value(target.admin_key)}")
