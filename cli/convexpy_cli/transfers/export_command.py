"""`convexpy export`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=(
        "convexpy export",
        "convexpy export --path backup.zip --include-file-storage",
        "convexpy export --tables users --format csv --path -",
    )
)
def export(
    run: Invocation,
    path: Annotated[
        str | None, Option("--path", metavar="FILE|DIR|-", help="where to; - is stdout [this folder]")
    ] = None,
    tables: Annotated[str | None, Option("--tables", metavar="A,B", help="only these tables")] = None,
    format: Annotated[
        str, Option("--format", help="zip (to import again), jsonl or csv (a file for each table)")
    ] = "zip",
    include_file_storage: Annotated[bool, Option("--include-file-storage", help="stored files, too")] = False,
    no_wait: Annotated[bool, Option("--no-wait", help="do not wait while another export is made")] = False,
) -> None:
    """Export all tables as they are at one moment, while the deployment goes on.

    Nothing is overwritten. A download that broke off goes on where it ended.

    Exit codes: 0 done, 1 failed, 2 usage, 9 the file is there already, 10 another export is under way (--no-wait).
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import exports

    names = None if tables is None else [name.strip() for name in tables.split(",") if name.strip()]
    exports.check(path, format, names, files=include_file_storage)
    with run.connected("export") as (_, client):
        transfers = TransferClient(client)
        found = exports.make(
            run, transfers, include_storage=include_file_storage, tables=names, wait=not no_wait
        )
        result = exports.deliver(run, transfers, found, path, format, names)
    if path == exports.STDOUT:
        return
    run.output.result(result, "\n".join(result.get("paths", [result["path"]])))
