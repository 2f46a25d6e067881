"""`convexpy dashboard`."""

from __future__ import annotations

from typing import Annotated

from convexpy_cli import errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

app = single()


@command(app, examples=("convexpy dashboard", "convexpy dashboard -d production --no-open --port 6791"))
def dashboard(
    ctx: Context,
    no_open: Annotated[bool, option("--no-open", "Only print the address.")] = False,
    port: Annotated[
        int | None, option("--port N", "Port to listen on [default: a free one].", min=0, max=65535)
    ] = None,
) -> None:
    """Open the dashboard of the deployment in a browser, until Ctrl-C.

    It runs on this machine and uses the key of the command line; nothing is installed in the deployment.
    """
    try:
        from convexpy_cli.dashboard import server
    except ModuleNotFoundError as error:
        if error.name not in ("nicegui", "fastapi"):
            raise
        raise errors.Failure(
            "PackageMissing",
            "`convexpy dashboard` requires the package nicegui",
            hint="pip install 'convexpy[dashboard]'",
        ) from error
    with ctx.connected("dashboard") as (target, client):
        named = (ctx.project.config.name or ctx.project.root.name) if target.kind == "local" else target.name
        identified = server.identify(target, client, named)
        server.serve(ctx, identified, client, port=port or 0, opens=not no_open)
