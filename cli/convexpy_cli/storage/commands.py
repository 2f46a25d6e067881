"""`convexpy storage`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"),
    examples=(
        "convexpy storage list",
        "convexpy storage list --sort size --type 'image/*'",
        "convexpy storage list --unreferenced --limit 0",
    ),
)
def storage_list(
    run: Invocation,
    limit: Annotated[int, Option("--limit", help="how many; 0 is all")] = 50,
    sort: Annotated[str, Option("--sort", help="created (newest first) or size (largest first)")] = "created",
    type_: Annotated[str | None, Option("--type", help="only this content type; * is a wildcard")] = None,
    unreferenced: Annotated[
        bool, Option("--unreferenced", help="only files that no document points to; reads the tables")
    ] = False,
) -> None:
    """List files: id, size, content type, when stored.

    --unreferenced reads all documents of tables that may hold ids of files (a `v.id("_storage")`, a `v.any()`, or no schema)
    and says how many those were. Ids in a `v.string()` are not seen, nor is what is written meanwhile. Exit codes: 0 done, 2
    bad --sort or --limit.
    """
    from convexpy_cli.storage import transfer

    if sort not in ("created", "size"):
        raise errors.usage(f"--sort {sort!r} is unknown", "created or size")
    if limit < 0:
        raise errors.usage("--limit must not be negative", "--limit 0 lists all")
    with run.connected("storage list") as (_, client):
        if unreferenced:
            found = transfer.unreferenced(run, client, limit, sort, type_)
        else:
            found = transfer.listed(client, limit, sort, type_)
    columns = ["id", "size", "type", "created"]
    references = 0 if unreferenced else None
    described = [{**file.to_json(), "name": None, "references": references} for file in found]
    run.output.table(columns, [transfer.cells(file) for file in found], described)


@leaf_command(
    examples=(
        "convexpy storage put report.pdf",
        "convexpy storage put pictures/ 'scans/*.png' --json",
        "tar c . | convexpy storage put - --type application/x-tar",
    )
)
def storage_put(
    run: Invocation,
    files: Annotated[list[str], Argument(help="files, folders, patterns; - is standard input")],
    type_: Annotated[str | None, Option("--type", help="content type [by the file's name]")] = None,
) -> None:
    """Store files; print one id per line, in the order of the files. Several are sent at once.

    Of a folder all files are stored, those in folders below it too, in the order of their paths. --json has the name of each,
    relative to the folder; the deployment itself keeps no names. Each is checked by its SHA-256 when it has arrived. An upload
    that broke off can't be resumed: what is stored by then is named, the rest is to be sent again. Exit codes: 0 done, 1 one
    could not be read (then nothing is sent), 6 the transfer broke off.
    """
    from convexpy_cli.storage import transfer

    wanted = transfer.files_of(files)
    with run.connected("storage put", writes=True) as (_, client):
        stored = transfer.put(run, client, wanted, type_)
    run.output.result(stored, "\n".join(file["id"] for file in stored))


@leaf_command(examples=("convexpy storage get kg2… -o report.pdf", "convexpy storage get kg2… -o - | tar t"))
def storage_get(
    run: Invocation,
    id: Annotated[str, Argument(help="the file's id")],
    output: Annotated[
        str | None, Option("-o", "--output", help="where to; - is stdout [ID with a suffix]")
    ] = None,
) -> None:
    """Fetch a file and check its SHA-256. A transfer that broke off goes on where it ended.

    Exit codes: 0 done, 1 no such file, 2 bytes would go to a terminal, 9 the file is there already.
    """
    from convexpy_cli.storage import transfer

    with run.connected("storage get") as (_, client):
        path = transfer.get(run, client, id, output)
    if path is not None:
        run.output.result({"id": id, "path": str(path)}, str(path))


@leaf_command(examples=("convexpy storage put report.pdf | xargs convexpy storage url",))
def storage_url(run: Invocation, id: Annotated[str, Argument(help="the file's id")]) -> None:
    """Print the public address of a file.

    Exit codes: 0 done, 1 no such file.
    """
    from convexpy.client import FileClient
    from convexpy_cli.storage import transfer

    with run.connected("storage url") as (_, client):
        url = FileClient(client).url(id)
    if url is None:
        raise transfer.missing(id)
    run.output.result({"id": id, "url": url}, url)


@leaf_command(examples=("convexpy storage info kg2…",))
def storage_info(run: Invocation, id: Annotated[str, Argument(help="the file's id")]) -> None:
    """Show size, content type, checksum and age of a file.

    Exit codes: 0 done, 1 no such file.
    """
    from convexpy.client import FileClient
    from convexpy_cli.storage import transfer

    with run.connected("storage info") as (_, client):
        found = FileClient(client).info(id)
    if found is None:
        raise transfer.missing(id)
    run.output.result(found.to_json(), transfer.described(found))


@leaf_command(
    examples=("convexpy storage delete kg2…", "convexpy storage delete --allow=data-delete kg2… kg3…")
)
def storage_delete(
    run: Invocation,
    ids: Annotated[list[str], Argument(help="ids of files")],
    unchecked: Annotated[
        bool, Option("--unchecked", help="do not look for documents that point to them")
    ] = False,
) -> None:
    """Delete files, all of them or none. More than one needs --allow=data-delete.

    Documents that point to them are looked for first, in all tables that may hold ids of files; if there are any, they are
    named, and deleting needs a yes or --allow=data-delete. Exit codes: 0 done, 1 one of them does not exist, 9 no consent.
    """
    from convexpy_cli.storage import transfer

    if len(ids) > 1 and "data-delete" not in run.settings.allow:
        raise errors.Failure(
            "ConsentRequired", f"this deletes {len(ids)} files", errors.REFUSED, hint="--allow=data-delete"
        )
    with run.connected("storage delete", writes=True) as (_, client):
        transfer.delete(run, client, ids, unchecked=unchecked)
    run.output.result({"deleted": ids}, "\n".join(ids))
