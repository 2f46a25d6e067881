"""`convexpy import` and `export`, and the commands of `convexpy backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from convexpy.printable import counted
from convexpy_cli import completion, errors
from convexpy_cli.command import argument, command, family, option, single
from convexpy_cli.context import Context

import_app = single()
export_app = single()
backup_app = family("Create, fetch and restore backups.")

IncludeFiles = Annotated[bool, option("--include-file-storage", "Include stored files.")]
BackupId = Annotated[str, argument("Id of the backup.")]


@command(
    import_app,
    "import",
    examples=(
        "convexpy import snapshot.zip",
        "convexpy import --table users users.csv --dry-run",
        "convexpy import --replace-all snapshot.zip --allow=data-replace",
    ),
)
def import_(
    ctx: Context,
    file: Annotated[str | None, argument("File to import; - for stdin.")] = None,
    table: Annotated[
        str | None, option("--table", "Table to import into, except for zip.", complete=completion.tables)
    ] = None,
    file_format: Annotated[
        Literal["zip", "jsonl", "json", "csv"] | None,
        option("--format FORMAT", "zip, jsonl, json or csv [default: by file name]."),
    ] = None,
    append: Annotated[bool, option("--append", "Add to existing documents.")] = False,
    replace: Annotated[bool, option("--replace", "Replace the tables that are in the file.")] = False,
    replace_all: Annotated[bool, option("--replace-all", "Also empty all other tables.")] = False,
    require_empty: Annotated[
        bool, option("--require-empty", "Import into empty tables only (the default).")
    ] = False,
    dry_run: Annotated[bool, option("--dry-run", "Check every row and write nothing.")] = False,
    types: Annotated[str | None, option("--types F=TYPE,...", "Types of CSV columns.", more=True)] = None,
    delimiter: Annotated[
        str | None, option("--delimiter CHAR", "CSV delimiter [default: detected].", more=True)
    ] = None,
    resume: Annotated[str | None, option("--resume ID", "Resume an interrupted upload.", more=True)] = None,
    status: Annotated[str | None, option("--status ID", "Show the state of an import.", more=True)] = None,
    cancel: Annotated[str | None, option("--cancel ID", "Cancel an import.", more=True)] = None,
    no_wait: Annotated[
        bool, option("--no-wait", "Do not wait for the end of the import.", more=True)
    ] = False,
) -> None:
    """Import tables, and the files of a zip. Either everything is imported or nothing, except with --append.

    Every row is checked against the schema first. Replacing documents requires consent.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import imports

    if require_empty and (append or replace or replace_all):
        raise errors.usage("--require-empty cannot be combined with --append, --replace or --replace-all")
    asked = status or cancel
    if asked is not None:
        with ctx.connected("import", writes=cancel is not None) as (_, client):
            transfers = TransferClient(client)
            if cancel is not None:
                transfers.cancel_import(cancel)
            found = transfers.find_import(asked)
        if found is None:
            raise imports.missing(asked)
        result = imports.summary(found, asked)
        ctx.output.result(result, imports.words(result))
        return
    if file is None:
        raise errors.usage("a file is missing", "convexpy import FILE")
    order = ctx.options(imports.ImportOrder)
    wanted = order.to_json()  # refused before a deployment is asked
    with ctx.connected("import", writes=not dry_run) as (_, client):
        result = imports.run_import(ctx, TransferClient(client), order, wanted)
    ctx.output.result(result, imports.words(result))


@command(
    export_app,
    "export",
    examples=(
        "convexpy export --path backup.zip --include-file-storage",
        "convexpy export --tables users --format csv --path -",
    ),
)
def export(
    ctx: Context,
    path: Annotated[
        str | None, option("--path FILE|DIR", "Where to write; - for stdout [default: this folder].")
    ] = None,
    tables: Annotated[str | None, option("--tables A,B", "Export only these tables.")] = None,
    file_format: Annotated[
        Literal["zip", "jsonl", "csv"],
        option("--format FORMAT", "zip, or jsonl or csv with one file per table."),
    ] = "zip",
    include_file_storage: IncludeFiles = False,
    no_wait: Annotated[
        bool, option("--no-wait", "Fail if another export is running instead of waiting for it.")
    ] = False,
) -> None:
    """Export a consistent snapshot of all tables while the deployment keeps running.

    Existing files are not overwritten. An interrupted download is resumed.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import exports

    names = None if tables is None else [name.strip() for name in tables.split(",") if name.strip()]
    exports.check(path, file_format, names, files=include_file_storage)
    with ctx.connected("export") as (_, client):
        transfers = TransferClient(client)
        found = exports.make(
            ctx, transfers, include_storage=include_file_storage, tables=names, wait=not no_wait
        )
        result = exports.deliver(ctx, transfers, found, path, file_format, names)
    if path == exports.STDOUT:
        return
    ctx.output.result(result, "\n".join(result.get("paths", [result["path"]])))
    ctx.output.step("ok", f"exported {exports.words({**result, 'path': ''})}")


@command(
    backup_app,
    "create",
    examples=("convexpy backup create", "convexpy backup create --include-file-storage --to backups"),
)
def backup_create(
    ctx: Context,
    include_file_storage: IncludeFiles = False,
    to: Annotated[str | None, option("--to DIR", "Also download it to this folder.")] = None,
    expires: Annotated[
        str, option("--expires TIME", "How long the deployment keeps it: 12h, 30d, 4w.")
    ] = "30d",
) -> None:
    """Create a backup of all tables, with schema and code version.

    It includes the names of environment variables, not their values.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups, exports

    with ctx.connected("backup create") as (_, client):
        result = backups.create(
            ctx, TransferClient(client), include_storage=include_file_storage, to=to, expires=expires
        )
    ctx.output.result(result, result["path"] or result["id"])
    kept = f"kept by the deployment for {expires} as {result['id']}"
    ctx.output.step("ok", f"backup: {exports.words(result)} · {kept}")


@command(
    backup_app,
    "list",
    formats=("human", "plain", "json"),
    examples=("convexpy backup list", "convexpy backup list --max-age 25h --json"),
)
def backup_list(
    ctx: Context,
    max_age: Annotated[
        str | None, option("--max-age TIME", "Exit with 1 if the newest is older: 25h, 7d.")
    ] = None,
) -> None:
    """List the backups that the deployment keeps, newest first."""
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups

    with ctx.connected("backup list") as (_, client):
        found = backups.listed(TransferClient(client))
    columns = ["id", "created", "documents", "files", "size", "expires"]
    ctx.output.table(columns, [backups.cells(backup) for backup in found], found)
    if max_age is not None:
        backups.check_age(found, max_age)


@command(backup_app, "download", examples=("convexpy backup download hm2… --path backups",))
def backup_download(
    ctx: Context,
    id: BackupId,
    path: Annotated[
        str | None, option("--path FILE|DIR", "Where to write it [default: this folder].")
    ] = None,
) -> None:
    """Download a backup. Existing files are not overwritten; an interrupted download is resumed."""
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups, exports

    with ctx.connected("backup download") as (_, client):
        transfers = TransferClient(client)
        found = backups.find(transfers, id)
        target = Path(path or ".")
        if target.is_dir():
            target = target / backups.file_name(found)
        result = exports.result_of(found, str(target), exports.fetch(ctx, transfers, found, target))
    ctx.output.result(result, str(target))


@command(backup_app, "restore", examples=("convexpy backup restore backup.zip --allow=data-replace",))
def backup_restore(
    ctx: Context,
    which: Annotated[str, argument("A backup of the deployment, or a file.", "ID|FILE")],
    confirm: Annotated[
        str | None, option("--confirm NAME", "Name of the deployment, if it is production.")
    ] = None,
) -> None:
    """Replace all tables, and files if the backup has them. Existing data is backed up first.

    Code and environment variables stay as they are.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups, imports

    with ctx.connected("backup restore", writes=True) as (target, client):
        result = backups.restore(ctx, TransferClient(client), target, which, confirm)
    ctx.output.result(result, imports.words(result))


@command(backup_app, "delete", examples=("convexpy backup delete hm2… --yes",))
def backup_delete(ctx: Context, id: BackupId) -> None:
    """Delete a backup of the deployment. Downloaded files are kept."""
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups

    with ctx.connected("backup delete", writes=True) as (_, client):
        transfers = TransferClient(client)
        backups.find(transfers, id)
        ctx.require_consent(f"Delete backup {id}?", f"backup {id} was not deleted")
        transfers.delete_export(id)
    ctx.output.result({"deleted": id}, id)


@command(backup_app, "verify", examples=("convexpy backup verify backup.zip",))
def backup_verify(ctx: Context, file: Annotated[Path, argument("A backup or snapshot.")]) -> None:
    """Verify a backup offline: checksums, counts, schema and files."""
    from convexpy_cli.transfers import backups

    if not file.is_file():
        raise errors.Failure("FileNotReadable", f"cannot read {file}")
    result = backups.verify(file, ctx.output.note)
    documents = sum(result["tables"].values())
    counts = (counted(documents, "document"), counted(len(result["tables"]), "table"))
    text = f"{file}: valid; {' in '.join(counts)}, {counted(result['files'], 'file')}"
    ctx.output.result(result, text)
