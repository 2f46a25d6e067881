"""`convexpy run`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "json", "jsonl"),
    examples=(
        "convexpy run messages:list limit=5",
        'convexpy run messages:send \'{"body": "hi"}\'',
        "convexpy run messages:list --watch --format jsonl",
        "convexpy run --inline 'ctx.db.query(\"messages\").take(5)'",
    ),
)
def run(
    run: Invocation,
    function: Annotated[str | None, Argument(metavar="FN", help="messages:list, internal ones too")] = None,
    arguments: Annotated[
        list[str] | None,
        Argument(metavar="ARGS", help="JSON, name=value, name:=json, @file.json, or - for stdin"),
    ] = None,
    watch: Annotated[
        bool, Option("--watch", "-w", help="print the value of a query at every change")
    ] = False,
    push: Annotated[bool, Option("--push", help="push the functions first (not to production)")] = False,
    identity: Annotated[str | None, Option("--identity", help="act as this user: JSON or @file")] = None,
    inline: Annotated[
        str | None,
        Option(
            "--inline", "--inline-query", metavar="CODE", help="evaluate Python in a query, in place of FN"
        ),
    ] = None,
    decode: Annotated[
        bool, Option("--decode", help="plain numbers and base64 in place of $integer, $bytes")
    ] = False,
) -> None:
    """Call a function and print its value. A stopped local deployment is started for the call.

    Exit codes: 0 done, 1 the function raised, 2 unknown function or wrong arguments, 5 key, 6 unreachable.
    """
    from convexpy_cli.deploy import pushing
    from convexpy_cli.functions import call

    if inline is not None and (function is not None or watch or push or identity is not None):
        raise errors.usage("--inline goes with none of FN, --watch, --push and --identity")
    acting = call.identity_of(identity)
    with run.connected("run") as (target, client):
        if inline is not None:
            call.inline(run, client, inline, decode=decode)
            return
        if push:
            pushing.push_once(run, target, client)
        call.call(run, target, client, function, arguments or [], identity=acting, watch=watch, decode=decode)
