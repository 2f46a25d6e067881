"""`convexpy functions`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy.protocol.app_description import AppDescription
from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command

_LOCAL = Option("--local", help="of the local code, without a deployment")
_FILE = Option("-o", "--output", "--file", help="write it there [stdout]")


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy functions list", "convexpy functions list --public --kind query --stats"),
)
def functions_list(
    run: Invocation,
    globs: Annotated[list[str] | None, Argument(metavar="GLOB", help="paths, with * as wildcard")] = None,
    public: Annotated[bool, Option("--public", help="only those that clients may call")] = False,
    internal: Annotated[bool, Option("--internal", help="only those that clients may not call")] = False,
    kind: Annotated[list[str] | None, Option("--kind", help="query, mutation or action; repeatable")] = None,
    stats: Annotated[bool, Option("--stats", help="calls, errors and p95 of the last 24 hours")] = False,
    local: Annotated[bool, _LOCAL] = False,
) -> None:
    """List functions: path, kind, arguments, where they are defined.

    Exit codes: 0 done, 2 flags that exclude each other, 7 local code that does not import.
    """
    from convexpy_cli.functions import describe

    if public and internal:
        raise errors.usage("--public and --internal exclude each other")
    if stats and local:
        raise errors.usage("--stats is of a deployment, --local of none")
    for each in kind or ():
        if each not in describe.KINDS:
            raise errors.usage(f"--kind {each!r} is unknown", ", ".join(describe.KINDS))
    counts = None
    found: AppDescription
    if local:
        found = describe.described(run, "functions list", local=True)[0]
    else:
        with run.connected("functions list") as (_, client):
            found = client.app()
            if stats:
                counts = {each["path"]: each for each in client.function_statistics()}
    visibility = "public" if public else "internal" if internal else None
    shown = describe.chosen(found.functions, visibility=visibility, kinds=kind or (), globs=globs or ())
    rows = [describe.row(each, counts) for each in shown]
    columns = ["function", "kind", "visibility", "arguments", "defined in"]
    columns += ["calls", "errors", "p95 ms"] if stats else []
    run.output.table(columns, [describe.cells(each) for each in rows], rows)


@leaf_command(examples=("convexpy functions show messages:send",))
def functions_show(
    run: Invocation,
    function: Annotated[str, Argument(metavar="FN", help="messages:send")],
    local: Annotated[bool, _LOCAL] = False,
) -> None:
    """Show what a function takes and returns, what it says of itself, and how to call it.

    Exit codes: 0 done, 2 no such function.
    """
    from convexpy_cli.functions import arguments, describe

    found, _ = describe.described(run, "functions show", local=local)
    path = arguments.normal_path(function)
    described = arguments.find_function(path, found.functions)
    run.output.result(described, describe.text(described))


@leaf_command(
    formats=("human", "json"),
    examples=("convexpy functions spec -o spec.json", "convexpy functions spec --local"),
)
def functions_spec(
    run: Invocation,
    output: Annotated[str | None, _FILE] = None,
    local: Annotated[bool, _LOCAL] = False,
) -> None:
    """Print the function specification of the official command line: the input of third-party generators.

    Exit codes: 0 done, 1 the file can't be written.
    """
    from convexpy_cli.functions import describe, spec
    from convexpy_cli.output import files

    found, url = describe.described(run, "functions spec", local=local)
    files.print_document(run.output, spec.official_spec(found, url), output)


@leaf_command(examples=("convexpy functions openapi -o openapi.json",))
def functions_openapi(
    run: Invocation,
    output: Annotated[str | None, _FILE] = None,
    local: Annotated[bool, _LOCAL] = False,
) -> None:
    """Print an OpenAPI 3.1 document of the public functions.

    Exit codes: 0 done, 1 the file can't be written.
    """
    from convexpy_cli.functions import describe, spec
    from convexpy_cli.output import files

    found, url = describe.described(run, "functions openapi", local=local)
    files.print_document(run.output, spec.openapi(found, url or "http://127.0.0.1:3210", "convexpy"), output)
