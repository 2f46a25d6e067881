"""The commands of `convexpy functions`, and `convexpy run`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from convexpy_cli import completion, errors
from convexpy_cli.command import argument, command, family, option, single
from convexpy_cli.context import Context

if TYPE_CHECKING:
    from convexpy.protocol.app_description import AppDescription

app = family("Describe functions of the deployment or of the local code.")
run_app = single()

Local = Annotated[bool, option("--local", "Describe the local code, without a deployment.")]
File = Annotated[str | None, option("-o --output --file FILE", "Write to a file [default: stdout].")]


@command(
    app,
    "list",
    formats=("human", "plain", "json"),
    examples=("convexpy functions list", "convexpy functions list --public --kind query --stats"),
)
def functions_list(
    ctx: Context,
    globs: Annotated[
        list[str] | None, argument("Paths; * is a wildcard.", "PATTERN", complete=completion.functions)
    ] = None,
    public: Annotated[bool, option("--public", "Only public functions.")] = False,
    internal: Annotated[bool, option("--internal", "Only internal functions.")] = False,
    kind: Annotated[list[str] | None, option("--kind KIND", "query, mutation or action; repeatable.")] = None,
    stats: Annotated[bool, option("--stats", "Show calls, errors and p95 of the last 24 hours.")] = False,
    local: Local = False,
) -> None:
    """List functions with their arguments and where they are defined."""
    from convexpy_cli.functions import describe
    from convexpy_cli.schema.python_types import PythonTypes

    if public and internal:
        raise errors.usage("--public and --internal cannot be combined")
    if stats and local:
        raise errors.usage("--stats and --local cannot be combined")
    for each in kind or ():
        if each not in describe.KINDS:
            raise errors.usage(f"--kind {each!r} is not valid", ", ".join(describe.KINDS))
    counts = None
    found: AppDescription
    if local:
        found = describe.described(ctx, "functions list", local=True)[0]
    else:
        with ctx.connected("functions list") as (_, client):
            found = client.app()
            if stats:
                counts = {each.path: each for each in client.function_statistics()}
    wanted = ("public",) * (not internal) + ("internal",) * (not public)
    rows = [
        describe.row(each, counts)
        for each in sorted(found.functions, key=lambda each: each.path)
        if each.visibility in wanted
        and each.kind in (kind or describe.KINDS)
        and any(fnmatchcase(each.path, glob) for glob in globs or ("*",))
    ]
    columns = ["function", "kind", "visibility", "arguments", "defined in"]
    columns += ["calls", "errors", "p95 ms"] if stats else []
    types = PythonTypes(found.tables)
    ctx.output.table(columns, [describe.cells(each, types) for each in rows], rows)


@command(app, "show", examples=("convexpy functions show messages:send",))
def functions_show(
    ctx: Context,
    function: Annotated[str, argument("Path, e.g. messages:send.", complete=completion.functions)],
    local: Local = False,
) -> None:
    """Show a function and how to call it."""
    from convexpy_cli.docs.installed import runnable
    from convexpy_cli.functions import arguments, describe
    from convexpy_cli.schema.python_types import PythonTypes

    path = arguments.normal_path(function)
    if local:
        found, _ = describe.described(ctx, "functions show", local=True)
        described = arguments.find_function(path, found.functions)
        words = describe.example(described, lambda table: None)
    else:
        with ctx.connected("functions show") as (target, client):
            found = client.app()
            described = arguments.find_function(path, found.functions)
            # What is copied from here must not change production by accident.
            harmless = described.kind == "query" or not target.production
            words = describe.example(
                described, lambda table: describe.newest_id(client, table) if harmless else None
            )
    where = f"-d {ctx.settings.deployment} " if ctx.settings.deployment else ""
    call = runnable(f"convexpy run {where}{words}")
    ctx.output.fields(described, describe.fields(described, PythonTypes(found.tables), call))


@command(app, "spec", examples=("convexpy functions spec -o spec.json", "convexpy functions spec --local"))
def functions_spec(ctx: Context, output: File = None, local: Local = False) -> None:
    """Print the function specification in the official format.

    It is the input of third-party generators.
    """
    from convexpy.schema.official import function_spec
    from convexpy_cli.functions import describe
    from convexpy_cli.output import files

    found, url = describe.described(ctx, "functions spec", local=local)
    files.print_document(
        ctx.output, {"url": url, "functions": function_spec(found.functions, found.http)}, output
    )


@command(app, "openapi", examples=("convexpy functions openapi -o openapi.json",))
def functions_openapi(ctx: Context, output: File = None, local: Local = False) -> None:
    """Print an OpenAPI 3.1 document of the public functions."""
    from convexpy_cli.functions import describe, spec
    from convexpy_cli.output import files

    found, url = describe.described(ctx, "functions openapi", local=local)
    files.print_document(ctx.output, spec.openapi(found, url or "http://127.0.0.1:3210", "convexpy"), output)


@command(
    run_app,
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
