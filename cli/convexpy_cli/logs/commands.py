"""`convexpy logs`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Literal

from typer import Option

from convexpy_cli import errors
from convexpy_cli.command import MORE, command, single
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
        bool | None, Option("-f", "--follow/--no-follow", help="Follow new entries [default: on a terminal].")
    ] = None,
    history: Annotated[
        int | None, Option("--history", metavar="N", min=0, help="Past records [default: 20, in a pipe 500].")
    ] = None,
    tail: Annotated[
        int | None, Option("--tail", metavar="N", min=0, help="Same as --history N --follow.")
    ] = None,
    since: Annotated[
        str | None, Option("--since", metavar="TIME", help="10m, 2h, 14:30, or a date and time.")
    ] = None,
    until: Annotated[
        str | None, Option("--until", metavar="TIME", help="End here instead of following.")
    ] = None,
    function: Annotated[
        list[str] | None,
        Option("--function", metavar="PATH", help="Only this function or http:/path; * is a wildcard."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        Option("--kind", metavar="KIND", help="query, mutation, action, http, cron or scheduled."),
    ] = None,
    level: Annotated[
        list[str] | None,
        Option("--level", metavar="LEVEL", help="This level and above: debug, info, log, warn, error."),
    ] = None,
    request: Annotated[
        str | None, Option("--request", metavar="ID", help="Everything one request did.")
    ] = None,
    grep: Annotated[str | None, Option("--grep", metavar="REGEX", help="Only lines that match.")] = None,
    status: Annotated[
        Literal["ok", "error"] | None,
        Option(
            "--status", metavar="STATUS", help="Only calls that ended so: ok or error.", rich_help_panel=MORE
        ),
    ] = None,
    slow: Annotated[
        float | None,
        Option("--slow", metavar="MS", help="Only calls that took at least this long.", rich_help_panel=MORE),
    ] = None,
    success: Annotated[
        bool, Option("--success", help="Include calls that logged nothing.", rich_help_panel=MORE)
    ] = False,
    columns: Annotated[
        str | None, Option("--columns", metavar="A,B", help="Fields to show.", rich_help_panel=MORE)
    ] = None,
    raw: Annotated[
        bool,
        Option("--raw", help="Print entries of the official log stream, one per line.", rich_help_panel=MORE),
    ] = False,
    jsonl: Annotated[bool, Option("--jsonl", help="Same as --format jsonl.", rich_help_panel=MORE)] = False,
) -> None:
    """Show and follow logs. Different filters combine with "and", several of one kind with "or".

    The deployment keeps its latest 5,000 entries in memory.
    """
    from convexpy_cli.logs import reading

    if tail is not None and (history is not None or follow is False):
        raise errors.usage("--tail stands for --history and --follow")
    own = ctx.sibling(format="jsonl") if jsonl else ctx
    wanted = reading.Wanted(
        tuple(function or ()),
        tuple(kind or ()),
        tuple(each.lower() for each in level or ()),
        request,
        status,
        slow,
        since,
        until,
        grep,
        success,
    )
    wanted.filters()  # refused before a deployment is asked
    printer = reading.Printer(own, wanted, raw=raw, columns=columns)
    follow = True if tail is not None else follow
    with closing(own), own.connected("logs") as (_, client):
        reading.read(own, client, wanted, printer, follow=follow, history=history if tail is None else tail)
