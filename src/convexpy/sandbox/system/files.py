"""Files as the server itself handles them: after an upload, for a download, and when bytes are removed."""

from __future__ import annotations

from convexpy.functions import Bound, QueryPlan
from convexpy.protocol.system.files import (
    AddFile,
    DeletedBlob,
    DeleteFiles,
    FindFile,
    FindServedFile,
    ForgetBlobs,
    GetFileDocument,
    GetFileMetadata,
    GetFileUrl,
    ListUnknownBlobs,
    ListUnlinkable,
    StoredFile,
)
from convexpy.sandbox import files
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import ConvexObject, Document

BATCH = 500


@handles(AddFile)
def add(context: CallContext, call: AddFile) -> str:
    """Make the documents of a file whose bytes are durable; return its id."""
    return files.add_file(
        context.transaction,
        call.uuid,
        sha256=call.sha256,
        size=call.size,
        content_type=call.content_type,
    )


@handles(GetFileUrl)
def url(context: CallContext, call: GetFileUrl) -> str | None:
    """Return where a file can be downloaded, or None."""
    return files.file_url(context.transaction, call.id, context.settings.cloud_url)


@handles(GetFileMetadata)
def metadata(context: CallContext, call: GetFileMetadata) -> ConvexObject | None:
    """Return the metadata of a file, or None."""
    return files.file_metadata(context.transaction, call.id)


@handles(GetFileDocument)
def document(context: CallContext, call: GetFileDocument) -> Document | None:
    """Return the `_storage` document of a file, or None."""
    return files.find_file(context.transaction, call.id, "storage")


@handles(DeleteFiles)
def delete(context: CallContext, call: DeleteFiles) -> None:
    """Delete files."""
    for id in call.ids:
        files.delete_file(context.transaction, id, context.now_ms)


@handles(FindFile)
def by_id(context: CallContext, call: FindFile) -> StoredFile | None:
    """Return a file and the name of its bytes."""
    found = files.find_file(context.transaction, call.id, "storage.get")
    if found is None:
        return None
    blob = files.blob_of(context.transaction, "by_storage_id", "storageId", call.id)
    return None if blob is None else _stored(found, blob["uuid"])


@handles(FindServedFile)
def by_uuid(context: CallContext, call: FindServedFile) -> StoredFile | None:
    """Return the metadata of the file that a URL names, or None if there is none or it was deleted."""
    blob = files.blob_of(context.transaction, "by_uuid", "uuid", call.uuid)
    if blob is None or "deletedAt" in blob:
        return None
    found = context.transaction.get(blob["storageId"], files.FILES, system=True)
    return None if found is None else _stored(found, call.uuid)


def _stored(found: Document, uuid: str) -> StoredFile:
    return StoredFile(found["_id"], found["sha256"], found["size"], found.get("contentType"), uuid)


@handles(ListUnlinkable)
def unlinkable(context: CallContext, call: ListUnlinkable) -> list[DeletedBlob]:
    """Return files deleted before a moment whose bytes may still be there, oldest first."""
    plan = QueryPlan(
        files.BLOBS,
        "by_deleted_at",
        lower=Bound("deletedAt", 0, inclusive=True),
        upper=Bound("deletedAt", call.before, inclusive=False),
        system=True,
    )
    found = context.transaction.stream(plan, limit=BATCH)
    return [DeletedBlob(blob["_id"], blob["uuid"]) for blob in found]


@handles(ForgetBlobs)
def forget(context: CallContext, call: ForgetBlobs) -> None:
    """Remove the records of deleted files whose bytes are gone."""
    for id in call.ids:
        if context.transaction.get(id, files.BLOBS, system=True) is not None:
            context.transaction.system_delete(files.BLOBS, id)


@handles(ListUnknownBlobs)
def unknown(context: CallContext, call: ListUnknownBlobs) -> list[str]:
    """Return those of some names of blobs that no file has, deleted ones included."""
    return [
        uuid for uuid in call.uuids if files.blob_of(context.transaction, "by_uuid", "uuid", uuid) is None
    ]
