"""`convexpy logs`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Literal

from convexpy_cli import errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    formats=("human", "plain", "jsonl"),
    examples=(
        "convexpy logs --level error --since 1h",
        "convexpy logs -f --function 'http:*' --jsonl",
        "convexpy logs --request 1a2b3c4d5e6f7a8b",
    ),
)
def logs(
    ctx: Context,
    follow: Annotated[
        bool | None, option("-f --follow/--no-follow", "Follow new entries [default: on a terminal].")
    ] = None,
    history: Annotated[
        int | None, option("--history N", "Past records [default: 20, in a pipe 500].", min=0)
    ] = None,
    tail: Annotated[int | None, option("--tail N", "Same as --history N --follow.", min=0)] = None,
    since: Annotated[str | None, option("--since TIME", "10m, 2h, 14:30, or a date and time.")] = None,
    until: Annotated[str | None, option("--until TIME", "End here instead of following.")] = None,
    function: Annotated[
        list[str] | None, option("--function PATH", "Only this function or http:/path; * is a wildcard.")
    ] = None,
    kind: Annotated[
        list[str] | None, option("--kind KIND", "query, mutation, action, http, cron or scheduled.")
    ] = None,
    level: Annotated[
        list[str] | None, option("--level LEVEL", "This level and above: debug, info, log, warn, error.")
    ] = None,
    request: Annotated[str | None, option("--request ID", "Everything one request did.")] = None,
    grep: Annotated[str | None, option("--grep REGEX", "Only lines that match.")] = None,
    status: Annotated[
        Literal["ok", "error"] | None,
        option("--status STATUS", "Only calls that ended so: ok or error.", more=True),
    ] = None,
    slow: Annotated[
        float | None, option("--slow MS", "Only calls that took at least this long.", more=True)
    ] = None,
    success: Annotated[bool, option("--success", "Include calls that logged nothing.", more=True)] = False,
    columns: Annotated[str | None, option("--columns A,B", "Fields to show.", more=True)] = None,
    raw: Annotated[
        bool, option("--raw", "Print entries of the official log stream, one per line.", more=True)
    ] = False,
    jsonl: Annotated[bool, option("--jsonl", "Same as --format jsonl.", more=True)] = False,
) -> None:
    """Show and follow logs. Different filters combine with "and", several of one kind with "or".

    The deployment keeps its latest 5,000 entries in memory.
    """
    from convexpy_cli.logs import reading

    if tail is not None and (history is not None or follow is False):
        raise errors.usage("--tail stands for --history and --follow")
    own = ctx.sibling(format="jsonl") if jsonl else ctx
    wanted = ctx.options(reading.Wanted)
    wanted.filters()  # refused before a deployment is asked
    printer = reading.Printer(own, wanted, raw=raw, columns=columns)
    follow = True if tail is not None else follow
    with closing(own), own.connected("logs") as (_, client):
        reading.read(own, client, wanted, printer, follow=follow, history=history if tail is None else tail)
