"""`convexpy logs`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli.invocation import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "jsonl"),
    examples=("convexpy logs", "convexpy logs -f --function 'messages:*' --jsonl"),
)
def logs(
    run: Invocation,
    follow: Annotated[
        bool | None, Option("--follow/--no-follow", "-f", help="go on (default: on a terminal)")
    ] = None,
    history: Annotated[
        int | None, Option("--history", help="this many past records [20, in a pipe 500]")
    ] = None,
    success: Annotated[bool, Option("--success", help="also calls that logged nothing")] = False,
    function: Annotated[list[str] | None, Option("--function", help="only these, with * as wildcard")] = None,
    level: Annotated[str | None, Option("--level", help="debug, info, log, warn or error, and above")] = None,
    request: Annotated[str | None, Option("--request", help="only this request")] = None,
    jsonl: Annotated[bool, Option("--jsonl", help="same as --format jsonl")] = False,
) -> None:
    """Read the deployment's logs, and follow them.

    Exit codes: 0 done, 5 key, 6 unreachable, 130 after Ctrl-C.
    """
    from convexpy_cli import log_tail, targets

    wanted = log_tail.Wanted(tuple(function or ()), level, request, success)
    with targets.connected(run, "logs") as (_, client):
        log_tail.read(run, client, wanted, follow=follow, history=history, jsonl=jsonl)
