"""Files as the server itself handles them: after an upload, for a download, and when bytes are removed."""

from __future__ import annotations

from convexpy.functions import Bound, QueryPlan
from convexpy.protocol.system import files as calls
from convexpy.sandbox import files
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import ConvexObject, Document

BATCH = 500


@handles(calls.AddFile)
def add(context: CallContext, call: calls.AddFile) -> str:
    document: Document = {"sha256": call.sha256, "size": call.size}
    if call.content_type is not None:
        document["contentType"] = call.content_type
    id = context.transaction.system_insert(files.FILES, document)
    context.transaction.system_insert(files.BLOBS, {"storageId": id, "uuid": call.uuid})
    return id


@handles(calls.GetFileUrl)
def url(context: CallContext, call: calls.GetFileUrl) -> str | None:
    return files.file_url(context.transaction, call.id, context.settings.cloud_url)


@handles(calls.GetFileMetadata)
def metadata(context: CallContext, call: calls.GetFileMetadata) -> ConvexObject | None:
    return files.file_metadata(context.transaction, call.id)


@handles(calls.GetFileDocument)
def document(context: CallContext, call: calls.GetFileDocument) -> Document | None:
    return files.find_file(context.transaction, call.id, "storage")


@handles(calls.DeleteFiles)
def delete(context: CallContext, call: calls.DeleteFiles) -> None:
    for id in call.ids:
        files.delete_file(context.transaction, id, context.now_ms)


@handles(calls.FindFile)
def by_id(context: CallContext, call: calls.FindFile) -> calls.StoredFile | None:
    found = files.find_file(context.transaction, call.id, "storage.get")
    if found is None:
        return None
    blob = files.blob_of(context.transaction, "by_storage_id", "storageId", call.id)
    return None if blob is None else _stored(found, blob["uuid"])


@handles(calls.FindServedFile)
def by_uuid(context: CallContext, call: calls.FindServedFile) -> calls.StoredFile | None:
    blob = files.blob_of(context.transaction, "by_uuid", "uuid", call.uuid)
    if blob is None or "deletedAt" in blob:
        return None
    found = context.transaction.get(blob["storageId"], files.FILES, system=True)
    return None if found is None else _stored(found, call.uuid)


def _stored(found: Document, uuid: str) -> calls.StoredFile:
    return calls.StoredFile(found["_id"], found["sha256"], found["size"], found.get("contentType"), uuid)


@handles(calls.ListUnlinkable)
def unlinkable(context: CallContext, call: calls.ListUnlinkable) -> list[calls.DeletedBlob]:
    plan = QueryPlan(
        files.BLOBS,
        "by_deleted_at",
        lower=Bound("deletedAt", 0, inclusive=True),
        upper=Bound("deletedAt", call.before, inclusive=False),
        system=True,
    )
    found = context.transaction.stream(plan, limit=BATCH)
    return [calls.DeletedBlob(blob["_id"], blob["uuid"]) for blob in found]


@handles(calls.ForgetBlobs)
def forget(context: CallContext, call: calls.ForgetBlobs) -> None:
    for id in call.ids:
        if context.transaction.get(id, files.BLOBS, system=True) is not None:
            context.transaction.system_delete(files.BLOBS, id)


@handles(calls.ListUnknownBlobs)
def unknown(context: CallContext, call: calls.ListUnknownBlobs) -> list[str]:
    return [
        uuid for uuid in call.uuids if files.blob_of(context.transaction, "by_uuid", "uuid", uuid) is None
    ]
