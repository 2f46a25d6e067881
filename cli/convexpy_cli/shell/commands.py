"""`convexpy shell`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"),
    examples=(
        "convexpy shell",
        "convexpy shell --write",
        "echo 'db.query(\"messages\").count()' | convexpy shell",
    ),
)
def shell(
    run: Invocation,
    code: Annotated[str | None, Option("-c", "--code", help="evaluate this and end")] = None,
    write: Annotated[
        bool, Option("--write", help="let inputs write; each is shown and asked about first")
    ] = False,
) -> None:
    """A Python prompt on the deployment: ctx and db as in functions, every input one transaction.

    Inputs are evaluated by the deployment, with the limits of queries and mutations. Variables are kept between inputs as
    long as they are Convex values; imports and functions are kept, too. An admin key is needed. Without a terminal, stdin
    is one input. With --json the result is the value, its text and what was written.

    Exit codes: 0 done, 1 the input raised, 4 nothing on stdin, 5 key, 9 writes without consent (--yes).
    """
    from convexpy_cli.shell import session

    with run.connected("shell", writes=write) as (target, client):
        session.start(run, target, client, code, writes=write)
