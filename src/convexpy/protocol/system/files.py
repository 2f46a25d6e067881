"""Stored files as the server handles them: after an upload, for a download, and when bytes are removed."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class StoredFile(msgspec.Struct, rename="camel"):
    """What the documents say of a file; `sha256` is base64."""

    storage_id: str
    sha256: str
    size: int
    content_type: str | None = None
    uuid: str = ""


class AddFile(SystemMutation[str]):
    """Make the documents of a file whose bytes are durable; the result is its id."""

    path: ClassVar[str] = "_system/storage:add"
    uuid: str
    sha256: str
    size: int
    content_type: str | None


class GetFileUrl(SystemQuery[str | None]):
    """Where a file can be downloaded."""

    path: ClassVar[str] = "_system/storage:url"
    operation: ClassVar[Operation | None] = "data:view"
    id: str


class GetFileMetadata(SystemQuery[ConvexObject | None]):
    """The metadata of a file, as `ctx.storage.get_metadata` returns it."""

    path: ClassVar[str] = "_system/storage:metadata"
    id: str


class GetFileDocument(SystemQuery[Document | None]):
    """The `_storage` document of a file."""

    path: ClassVar[str] = "_system/storage:document"
    operation: ClassVar[Operation | None] = "data:view"
    id: str


class DeleteFiles(SystemMutation[None]):
    """Delete files, all of them or none."""

    path: ClassVar[str] = "_system/storage:delete"
    ids: list[str]


class FindFile(SystemQuery[StoredFile | None]):
    """A file by its id, with the `uuid` of its bytes."""

    path: ClassVar[str] = "_system/storage:byId"
    id: str


class FindServedFile(SystemQuery[StoredFile | None]):
    """The file that a URL names; None if there is none or it was deleted."""

    path: ClassVar[str] = "_system/storage:byUuid"
    uuid: str


class DeletedBlob(msgspec.Struct):
    """The record of a deleted file, and the name of its bytes."""

    id: str
    uuid: str


class ListUnlinkable(SystemQuery[list[DeletedBlob]]):
    """Files deleted before a moment (milliseconds) whose bytes may still be there, oldest first; a bounded number."""

    path: ClassVar[str] = "_system/storage:unlinkable"
    before: float


class ForgetBlobs(SystemMutation[None]):
    """Remove the records of deleted files whose bytes are gone."""

    path: ClassVar[str] = "_system/storage:forget"
    ids: list[str]


class ListUnknownBlobs(SystemQuery[list[str]]):
    """Those of some names of blobs that no file has, deleted ones included."""

    path: ClassVar[str] = "_system/storage:unknown"
    uuids: list[str]
