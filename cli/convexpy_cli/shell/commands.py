"""`convexpy shell`."""

from __future__ import annotations

from typing import Annotated

from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    formats=("human", "plain", "json"),
    examples=("convexpy shell --write", "echo 'db.query(\"messages\").count()' | convexpy shell"),
)
def shell(
    ctx: Context,
    code: Annotated[str | None, option("-c --code CODE", "Evaluate this and exit.")] = None,
    write: Annotated[bool, option("--write", "Allow writes; each is shown and confirmed first.")] = False,
) -> None:
    """Open a Python prompt on the deployment, with ctx and db as in functions.

    The deployment evaluates each input in one transaction, with the limits of queries and mutations. Variables are
    kept if they are Convex values; imports and functions are kept too. Requires an admin key. Without a terminal,
    stdin is one input.
    """
    from convexpy_cli.shell import session

    with ctx.connected("shell", writes=write) as (target, client):
        session.start(ctx, target, client, code, writes=write)
