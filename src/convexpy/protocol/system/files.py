"""Stored files as the server handles them: after an upload, for a download, and when bytes are removed."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class StoredFile(msgspec.Struct, rename="camel"):
    """What the documents say of a file; `sha256` is base64."""

    storage_id: str
    sha256: str
    size: int
    content_type: str | None = None
    uuid: str = ""


class AddFile(SystemMutation[str], path="_system/storage:add"):
    """Make the documents of a file whose bytes are durable; the result is its id."""

    uuid: str
    sha256: str
    size: int
    content_type: str | None


class GetFileUrl(SystemQuery[str | None], path="_system/storage:url", operation="data:view"):
    """Where a file can be downloaded."""

    id: str


class GetFileMetadata(SystemQuery[ConvexObject | None], path="_system/storage:metadata"):
    """The metadata of a file, as `ctx.storage.get_metadata` returns it."""

    id: str


class GetFileDocument(SystemQuery[Document | None], path="_system/storage:document", operation="data:view"):
    """The `_storage` document of a file."""

    id: str


class DeleteFiles(SystemMutation[None], path="_system/storage:delete"):
    """Delete files, all of them or none."""

    ids: list[str]


class FindFile(SystemQuery[StoredFile | None], path="_system/storage:byId"):
    """A file by its id, with the `uuid` of its bytes."""

    id: str


class FindServedFile(SystemQuery[StoredFile | None], path="_system/storage:byUuid"):
    """The file that a URL names; None if there is none or it was deleted."""

    uuid: str


class DeletedBlob(msgspec.Struct):
    """The record of a deleted file, and the name of its bytes."""

    id: str
    uuid: str


class ListUnlinkable(SystemQuery[list[DeletedBlob]], path="_system/storage:unlinkable"):
    """Files deleted before a moment (milliseconds) whose bytes may still be there, oldest first; a bounded number."""

    before: float


class ForgetBlobs(SystemMutation[None], path="_system/storage:forget"):
    """Remove the records of deleted files whose bytes are gone."""

    ids: list[str]


class ListUnknownBlobs(SystemQuery[list[str]], path="_system/storage:unknown"):
    """Those of some names of blobs that no file has, deleted ones included."""

    uuids: list[str]
