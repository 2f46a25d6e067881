"""Files as the server itself handles them: after an upload, for a download, and when bytes are removed."""

from __future__ import annotations

from typing import Any

from convexpy.functions import Bound, QueryPlan
from convexpy.sandbox import files
from convexpy.sandbox.host import CallContext

BATCH = 500


def add(context: CallContext, args: dict[str, Any]) -> str:
    """Make the documents of a file whose bytes are durable; return its id."""
    return files.add_file(
        context.transaction,
        args["uuid"],
        sha256=args["sha256"],
        size=args["size"],
        content_type=args.get("contentType"),
    )


def url(context: CallContext, args: dict[str, Any]) -> str | None:
    """Return where a file can be downloaded, or None."""
    return files.file_url(context.transaction, args["id"], context.settings.cloud_url)


def metadata(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of a file, or None."""
    return files.file_metadata(context.transaction, args["id"])


def document(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the `_storage` document of a file, or None."""
    return files.find_file(context.transaction, args["id"], "storage")


def delete(context: CallContext, args: dict[str, Any]) -> None:
    """Delete files."""
    for id in args["ids"]:
        files.delete_file(context.transaction, id, context.now_ms)


def by_id(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of a file and its `uuid`, or None."""
    found = files.find_file(context.transaction, args["id"], "storage.get")
    if found is None:
        return None
    blob = files.blob_of(context.transaction, "by_storage_id", "storageId", args["id"])
    return None if blob is None else {**files.described(found), "uuid": blob["uuid"]}


def by_uuid(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of the file that a URL names, or None if there is none or it was deleted."""
    blob = files.blob_of(context.transaction, "by_uuid", "uuid", args["uuid"])
    if blob is None or "deletedAt" in blob:
        return None
    found = context.transaction.get(blob["storageId"], files.FILES, system=True)
    return None if found is None else files.described(found)


def unlinkable(context: CallContext, args: dict[str, Any]) -> list[dict[str, str]]:
    """Return `{id, uuid}` of files deleted before a moment whose bytes may still be there, oldest first."""
    plan = QueryPlan(
        files.BLOBS,
        "by_deleted_at",
        lower=Bound("deletedAt", 0, inclusive=True),
        upper=Bound("deletedAt", args["before"], inclusive=False),
        system=True,
    )
    found = context.transaction.stream(plan, limit=BATCH)
    return [{"id": blob["_id"], "uuid": blob["uuid"]} for blob in found]


def forget(context: CallContext, args: dict[str, Any]) -> None:
    """Remove the records of deleted files whose bytes are gone."""
    for id in args["ids"]:
        if context.transaction.get(id, files.BLOBS, system=True) is not None:
            context.transaction.system_delete(files.BLOBS, id)


def unknown(context: CallContext, args: dict[str, Any]) -> list[str]:
    """Return those of some names of blobs that no file has, deleted ones included."""
    return [
        uuid for uuid in args["uuids"] if files.blob_of(context.transaction, "by_uuid", "uuid", uuid) is None
    ]


FUNCTIONS = {
    "_system/storage:add": add,
    "_system/storage:url": url,
    "_system/storage:metadata": metadata,
    "_system/storage:document": document,
    "_system/storage:delete": delete,
    "_system/storage:byId": by_id,
    "_system/storage:byUuid": by_uuid,
    "_system/storage:unlinkable": unlinkable,
    "_system/storage:forget": forget,
    "_system/storage:unknown": unknown,
}
