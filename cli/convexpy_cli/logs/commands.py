"""`convexpy logs`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "jsonl"),
    examples=(
        "convexpy logs",
        "convexpy logs --level error --since 1h",
        "convexpy logs -f --function 'http:*' --jsonl",
        "convexpy logs --request 1a2b3c4d5e6f7a8b",
    ),
)
def logs(
    run: Invocation,
    follow: Annotated[
        bool | None, Option("--follow/--no-follow", "-f", help="go on (default: on a terminal)")
    ] = None,
    history: Annotated[
        int | None, Option("--history", min=0, help="this many past records [20, in a pipe 500]")
    ] = None,
    tail: Annotated[int | None, Option("--tail", min=0, help="same as --history N --follow")] = None,
    since: Annotated[str | None, Option("--since", help="10m, 2h, 14:30, or a date and time")] = None,
    until: Annotated[str | None, Option("--until", help="the same; ends instead of following")] = None,
    function: Annotated[
        list[str] | None, Option("--function", help="only these, with * as wildcard; http:/path* too")
    ] = None,
    kind: Annotated[
        list[str] | None, Option("--kind", help="query, mutation, action, http, cron or scheduled")
    ] = None,
    level: Annotated[
        list[str] | None, Option("--level", help="debug, info, log, warn, error: and above")
    ] = None,
    request: Annotated[str | None, Option("--request", help="all that one request did")] = None,
    status: Annotated[str | None, Option("--status", help="ok or error")] = None,
    grep: Annotated[str | None, Option("--grep", metavar="RE", help="only lines that match")] = None,
    slow: Annotated[float | None, Option("--slow", metavar="MS", help="calls that took so long")] = None,
    success: Annotated[bool, Option("--success", help="also calls that logged nothing")] = False,
    columns: Annotated[str | None, Option("--columns", help="fields of records, with commas between")] = None,
    raw: Annotated[
        bool, Option("--raw", help="entries as the official stream has them, a line each")
    ] = False,
    jsonl: Annotated[bool, Option("--jsonl", help="same as --format jsonl")] = False,
) -> None:
    """Read the deployment's logs, and follow them.

    Filters of different kinds combine with "and", several of one kind with "or". The deployment keeps its newest 5,000
    entries in memory; when it is restarted, or entries were lost, a line on stderr says so.

    Exit codes: 0 done, 2 a filter that makes no sense, 5 key, 6 unreachable, 130 after Ctrl-C.
    """
    from dataclasses import replace

    from convexpy_cli.logs import reading

    if tail is not None and (history is not None or follow is False):
        raise errors.usage("--tail stands for --history and --follow")
    if jsonl:
        run.settings = replace(run.settings, format="jsonl")
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
    wanted.filters()  # refused before anything is asked
    printer = reading.Printer(run, wanted, raw=raw, columns=columns)
    follow = True if tail is not None else follow
    with run.connected("logs") as (_, client):
        reading.read(run, client, wanted, printer, follow=follow, history=history if tail is None else tail)
