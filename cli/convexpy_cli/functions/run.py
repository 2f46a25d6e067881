"""`convexpy run`."""

from __future__ import annotations

from typing import Annotated

from convexpy_cli import completion, errors
from convexpy_cli.command import argument, command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    formats=("human", "json", "jsonl"),
    examples=(
        "convexpy run messages:list limit=5",
        'convexpy run messages:send \'{"body": "hi"}\'',
        "convexpy run messages:list --watch --format jsonl",
        "convexpy run --inline 'ctx.db.query(\"messages\").take(5)'",
    ),
)
def run(
    ctx: Context,
    function: Annotated[
        str | None, argument("Path, e.g. messages:list.", complete=completion.functions)
    ] = None,
    arguments: Annotated[
        list[str] | None, argument("A JSON object, name=value, name:=json, @FILE, or - for stdin.", "ARG")
    ] = None,
    watch: Annotated[bool, option("-w --watch", "Print the result of a query at every change.")] = False,
    push: Annotated[bool, option("--push", "Push the functions first; not to production.")] = False,
    identity: Annotated[
        str | None, option("--identity JSON", "Act as this user: a JSON object or @FILE.")
    ] = None,
    inline: Annotated[
        str | None, option("--inline --inline-query CODE", "Evaluate Python code in a query.")
    ] = None,
    decode: Annotated[
        bool, option("--decode", "Print plain numbers and base64, not $integer and $bytes.")
    ] = False,
) -> None:
    """Call a function, public or internal, and print its result.

    A local deployment that is not running is started for the call.
    """
    from convexpy_cli.functions import call

    if inline is not None and (function is not None or watch or push or identity is not None):
        raise errors.usage("--inline cannot be combined with FUNCTION, --watch, --push or --identity")
    acting = call.identity_of(identity)
    with ctx.connected("run") as (target, client):
        if inline is not None:
            call.inline(ctx, client, inline, decode=decode)
            return
        if push:
            if target.production:
                raise errors.consent(
                    f'"{target.name}" is production: --push is not allowed', "convexpy deploy"
                )
            call.push_once(ctx, client)
        call.call(ctx, target, client, function, arguments or [], identity=acting, watch=watch, decode=decode)
