"""The commands of `convexpy storage`."""

from __future__ import annotations

from typing import Annotated, Literal

from convexpy_cli import errors
from convexpy_cli.command import argument, command, family, option
from convexpy_cli.context import Context

app = family("Manage stored files.")

FileId = Annotated[str, argument("Id of the file.")]


@command(
    app,
    "list",
    formats=("human", "plain", "json"),
    examples=(
        "convexpy storage list --sort size --type 'image/*'",
        "convexpy storage list --unreferenced --limit 0",
    ),
)
def storage_list(
    ctx: Context,
    limit: Annotated[int, option("--limit N", "Number of files; 0 for all.", min=0)] = 50,
    sort: Annotated[
        Literal["created", "size"], option("--sort", "created (newest first) or size (largest first).")
    ] = "created",
    type_: Annotated[str | None, option("--type TYPE", "Only this content type; * is a wildcard.")] = None,
    unreferenced: Annotated[
        bool, option("--unreferenced", "Only files that no document refers to; reads the tables.")
    ] = False,
) -> None:
    """List stored files with their sizes and content types.

    --unreferenced reads every table that can hold ids of files: those with v.id("_storage") or v.any(), or without a
    schema. Ids in a v.string() are not found.
    """
    from convexpy_cli.storage import transfer

    with ctx.connected("storage list") as (_, client):
        found = transfer.listed(ctx, client, unreferenced=unreferenced, limit=limit, sort=sort, type_=type_)
    columns = ["id", "size", "type", "created"]
    references = 0 if unreferenced else None
    described = [{**file.to_json(), "name": None, "references": references} for file in found]
    ctx.output.table(columns, [transfer.cells(file) for file in found], described)


@command(
    app,
    "put",
    examples=(
        "convexpy storage put report.pdf",
        "convexpy storage put pictures/ 'scans/*.png' --json",
        "tar c . | convexpy storage put - --type application/x-tar",
    ),
)
def storage_put(
    ctx: Context,
    files: Annotated[list[str], argument("Files, folders or patterns; - for stdin.", "FILE")],
    type_: Annotated[str | None, option("--type TYPE", "Content type [default: by file name].")] = None,
) -> None:
    """Upload files and print one id per line, in the order of the files.

    Folders are uploaded with everything in them. The deployment keeps no file names; --json prints them with the ids.
    """
    from convexpy_cli.storage import transfer

    wanted = transfer.files_of(files)
    with ctx.connected("storage put", writes=True) as (_, client):
        stored = transfer.put(ctx, client, wanted, type_)
    ctx.output.result(stored, "\n".join(file["id"] for file in stored))
    ctx.output.step("ok", transfer.stored_text(stored))


@command(
    app, "get", examples=("convexpy storage get kg2… -o report.pdf", "convexpy storage get kg2… -o - | tar t")
)
def storage_get(
    ctx: Context,
    id: FileId,
    output: Annotated[
        str | None, option("-o --output FILE", "Where to write it; - for stdout [default: the id].")
    ] = None,
) -> None:
    """Download a file and verify its SHA-256. An interrupted download is resumed."""
    from convexpy_cli.storage import transfer

    with ctx.connected("storage get") as (_, client):
        path = transfer.get(ctx, client, id, output)
    if path is not None:
        ctx.output.result({"id": id, "path": str(path)}, str(path))


@command(app, "url", examples=("convexpy storage put report.pdf | xargs convexpy storage url",))
def storage_url(ctx: Context, id: FileId) -> None:
    """Print the public URL of a file."""
    from convexpy.client import FileClient
    from convexpy_cli.storage import transfer

    with ctx.connected("storage url") as (_, client):
        url = FileClient(client).url(id)
    if url is None:
        raise transfer.missing(id)
    ctx.output.result({"id": id, "url": url}, url)


@command(app, "info", examples=("convexpy storage info kg2…",))
def storage_info(ctx: Context, id: FileId) -> None:
    """Show the size, content type, checksum and age of a file."""
    from convexpy.client import FileClient
    from convexpy_cli.storage import transfer

    with ctx.connected("storage info") as (_, client):
        found = FileClient(client).info(id)
    if found is None:
        raise transfer.missing(id)
    ctx.output.fields(found.to_json(), transfer.fields(found))


@command(
    app,
    "delete",
    examples=("convexpy storage delete kg2…", "convexpy storage delete --allow=data-delete kg2… kg3…"),
)
def storage_delete(
    ctx: Context,
    ids: Annotated[list[str], argument("Ids of the files.", "ID")],
    unchecked: Annotated[
        bool, option("--unchecked", "Do not look for documents that refer to the files.")
    ] = False,
) -> None:
    """Delete files. Either all of them are deleted or none.

    Documents that still refer to a file are shown first. Deleting such a file, or more than one file, requires
    --allow=data-delete.
    """
    from convexpy.client import FileClient
    from convexpy_cli.storage import transfer

    if len(ids) > 1 and "data-delete" not in ctx.settings.allow:
        raise errors.consent(f"this deletes {len(ids)} files", "--allow=data-delete")
    with ctx.connected("storage delete", writes=True) as (_, client):
        if not unchecked:
            transfer.check_references(ctx, client, ids)
        FileClient(client).delete(ids)
    ctx.output.result({"deleted": ids}, "\n".join(ids))
