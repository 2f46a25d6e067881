"""`convexpy backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=("convexpy backup create", "convexpy backup create --include-file-storage --to backups")
)
def backup_create(
    run: Invocation,
    include_file_storage: Annotated[bool, Option("--include-file-storage", help="stored files, too")] = False,
    to: Annotated[str | None, Option("--to", metavar="DIR", help="fetch it into this folder, too")] = None,
    expires: Annotated[
        str, Option("--expires", help="how long the deployment keeps it: 12h, 30d, 4w")
    ] = "30d",
) -> None:
    """Back up all tables as they are at one moment, with code version, schema and the names of variables.

    The deployment keeps it; --to keeps it elsewhere as well. Exit codes: 0 done, 1 failed, 2 usage.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups

    with run.connected("backup create") as (_, client):
        result = backups.create(
            run, TransferClient(client), include_storage=include_file_storage, to=to, expires=expires
        )
    run.output.result(result, result["path"] or result["id"])


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy backup list", "convexpy backup list --max-age 25h --json"),
)
def backup_list(
    run: Invocation,
    max_age: Annotated[
        str | None, Option("--max-age", metavar="TIME", help="exit 1 when the newest is older: 25h, 7d")
    ] = None,
) -> None:
    """List the backups that the deployment keeps, the newest first.

    Exit codes: 0 done, 1 the newest is older than --max-age, or there is none.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups

    with run.connected("backup list") as (_, client):
        found = backups.listed(TransferClient(client))
    columns = ["id", "created", "documents", "files", "size", "expires"]
    run.output.table(columns, [backups.cells(backup) for backup in found], found)
    if max_age is not None:
        backups.check_age(found, max_age)


@leaf_command(examples=("convexpy backup download hm2… --path backups",))
def backup_download(
    run: Invocation,
    id: Annotated[str, Argument(help="the backup's id")],
    path: Annotated[str | None, Option("--path", metavar="FILE|DIR", help="where to [this folder]")] = None,
) -> None:
    """Fetch a backup. Nothing is overwritten; a download that broke off goes on where it ended.

    Exit codes: 0 done, 2 no such backup, 9 the file is there already.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups, exports

    with run.connected("backup download") as (_, client):
        transfers = TransferClient(client)
        found = backups.find(transfers, id)
        target = Path(path or ".")
        if target.is_dir():
            target = target / backups.file_name(found)
        result = exports.result_of(found, str(target), exports.fetch(run, transfers, found, target))
    run.output.result(result, str(target))


@leaf_command(examples=("convexpy backup restore backup.zip --allow=data-replace",))
def backup_restore(
    run: Invocation,
    which: Annotated[str, Argument(metavar="ID|FILE", help="a backup of the deployment, or a file")],
    confirm: Annotated[
        str | None, Option("--confirm", metavar="NAME", help="a production deployment's name")
    ] = None,
) -> None:
    """Replace all tables, and files if the backup has them, by a backup. What is there is backed up first.

    Code and variables stay as they are. Exit codes: 0 done, 1 failed, 2 no such backup, 8 it does not fit the schema,
    9 no consent.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups, imports

    with run.connected("backup restore", writes=True) as (target, client):
        result = backups.restore(run, TransferClient(client), target, which, confirm)
    run.output.result(result, imports.words(result))


@leaf_command(examples=("convexpy backup delete hm2… --yes",))
def backup_delete(run: Invocation, id: Annotated[str, Argument(help="the backup's id")]) -> None:
    """Delete a backup of the deployment; files that were fetched stay.

    Exit codes: 0 done, 2 no such backup, 9 not confirmed.
    """
    from convexpy.client import TransferClient
    from convexpy_cli.transfers import backups

    with run.connected("backup delete", writes=True) as (_, client):
        transfers = TransferClient(client)
        backups.find(transfers, id)
        if not run.prompts.confirm(f"Delete the backup {id}?", default=False):
            raise errors.Failure(
                "ConsentRequired", f"the backup {id} was not deleted", errors.REFUSED, hint="--yes"
            )
        transfers.delete_export(id)
    run.output.result({"deleted": id}, id)


@leaf_command(examples=("convexpy backup verify backup.zip",))
def backup_verify(run: Invocation, file: Annotated[Path, Argument(help="a backup or snapshot")]) -> None:
    """Read a backup completely, offline: checksums, counts, the schema it was made under, digests of files.

    Exit codes: 0 fine, 1 damaged.
    """
    from convexpy_cli.transfers import backups

    if not file.is_file():
        raise errors.Failure("FileNotReadable", f"{file} is no file that can be read", errors.FAILED)
    result = backups.verify(file, run.output.note)
    documents = sum(result["tables"].values())
    text = (
        f"{file}: fine; {documents:,} documents in {len(result['tables'])} tables, {result['files']:,} files"
    )
    run.output.result(result, text)
