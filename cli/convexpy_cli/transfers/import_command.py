"""`convexpy import`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=(
        "convexpy import snapshot.zip",
        "convexpy import --table users users.csv --dry-run",
        "convexpy import --replace-all snapshot.zip --allow=data-replace",
    )
)
def import_(
    run: Invocation,
    file: Annotated[str | None, Argument(help="what to import; - is standard input")] = None,
    table: Annotated[str | None, Option("--table", help="the table, for all formats but zip")] = None,
    format: Annotated[
        str | None, Option("--format", help="zip, jsonl, json or csv [by the file's name]")
    ] = None,
    append: Annotated[bool, Option("--append", help="add to what is there")] = False,
    replace: Annotated[bool, Option("--replace", help="replace the tables of the file")] = False,
    replace_all: Annotated[bool, Option("--replace-all", help="and empty all others")] = False,
    require_empty: Annotated[
        bool, Option("--require-empty", help="only into empty tables (the default)")
    ] = False,
    types: Annotated[
        str | None, Option("--types", metavar="F=TYPE,…", help="types of CSV columns [the schema's]")
    ] = None,
    delimiter: Annotated[
        str | None,
        Option("--delimiter", metavar="CHAR", help="between the cells of CSV [as the header shows]"),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="check every row, write nothing")] = False,
    resume: Annotated[
        str | None, Option("--resume", metavar="ID", help="go on with an upload that broke off")
    ] = None,
    status: Annotated[str | None, Option("--status", metavar="ID", help="how far is an import?")] = None,
    cancel: Annotated[str | None, Option("--cancel", metavar="ID", help="cancel an import")] = None,
    no_wait: Annotated[bool, Option("--no-wait", help="do not wait until it is written")] = False,
    component: Annotated[str | None, Option("--component", hidden=True)] = None,
) -> None:
    """Import tables, and files of a zip: all of it or nothing (with --append, in pieces).

    Every row is checked against the schema first; bad ones are named as file:line:column. Replacing asks, with the
    counts before and after.

    Exit codes: 0 done, 1 failed, 2 usage, 8 rows do not fit, 9 no consent or a table is not empty, 10 another import is
    being written, 12 components, 130 interrupted.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import imports

    if component is not None:
        raise errors.Failure("ComponentsUnsupported", "there are no components here", 12)
    if require_empty and (append or replace or replace_all):
        raise errors.usage("--require-empty excludes --append, --replace and --replace-all")
    asked = status or cancel
    if asked is not None:
        with run.connected("import", writes=cancel is not None) as (_, client):
            transfers = TransferClient(client)
            if cancel is not None:
                transfers.cancel_import(cancel)
            found = transfers.find_import(asked)
        if found is None:
            raise imports.missing(asked)
        result = imports.summary(found, asked)
        run.output.result(result, imports.words(result))
        return
    if file is None:
        raise errors.usage("what is to be imported?", "convexpy import FILE")
    parts = imports.order(
        file,
        table=table,
        format=format,
        append=append,
        replace=replace,
        replace_all=replace_all,
        types=types,
        delimiter=delimiter,
    )
    wanted = imports.ImportOrder(**parts, dry_run=dry_run, resume=resume, wait=not no_wait)
    with run.connected("import", writes=not dry_run) as (_, client):
        result = imports.run_import(run, TransferClient(client), wanted)
    run.output.result(result, imports.words(result))
