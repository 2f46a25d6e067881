"""Files that belong to a session: uploaded by people, left by runs; and checkpoints of its state."""

from typing import Any

from convexpy import ConvexError, StorageId

from ._generated.data_model import ArtifactsId, SessionsId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, internal_query
from .lib.access import UserMutationCtx, UserQueryCtx, user_mutation, user_query

CHECKPOINTS_KEPT = 5


@user_query(name="list")
def list_(ctx: UserQueryCtx, sessionId: SessionsId) -> list[dict[str, Any]]:
    """A session's files, each with the address to load it from."""
    found = ctx.db.query("artifacts").with_index("by_session", sessionId=sessionId).collect()
    return [{**artifact, "url": ctx.storage.get_url(artifact["storageId"])} for artifact in found]


@user_mutation
def upload_url(ctx: UserMutationCtx, sessionId: SessionsId) -> str:
    """An address to POST a file to; `save` makes it one of the session's."""
    if ctx.db.get("sessions", sessionId) is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such session"})
    return ctx.storage.generate_upload_url()


@user_mutation
def save(ctx: UserMutationCtx, sessionId: SessionsId, storageId: StorageId, filename: str) -> ArtifactsId:
    """Make an uploaded file one of the session's."""
    return _save(ctx, sessionId, storageId, filename)


@user_mutation
def remove(ctx: UserMutationCtx, artifactId: ArtifactsId) -> None:
    """Delete a file of a session."""
    artifact = ctx.db.get("artifacts", artifactId)
    if artifact is not None:
        ctx.storage.delete(artifact["storageId"])
        ctx.db.delete(artifactId)


@internal_mutation
def keep(ctx: MutationCtx, sessionId: SessionsId, storageId: StorageId, filename: str) -> ArtifactsId:
    """Make a stored file one of a session's, whoever asks."""
    return _save(ctx, sessionId, storageId, filename)


def _save(ctx: MutationCtx, session_id: SessionsId, storage_id: StorageId, filename: str) -> ArtifactsId:
    stored = ctx.storage.get_metadata(storage_id)
    if stored is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such file"})
    return ctx.db.insert("artifacts", {
        "sessionId": session_id,
        "storageId": storage_id,
        "filename": filename,
        "contentType": stored["contentType"] or "application/octet-stream",
        "size": stored["size"],
    })


@internal_mutation
def checkpoint(ctx: MutationCtx, sessionId: SessionsId, storageId: StorageId) -> int:
    """Keep a state as the newest version; older ones than the last few are deleted."""
    versions = ctx.db.query("checkpoints").with_index("by_session_version", sessionId=sessionId).order("desc")
    newest = versions.first()
    version = 1 if newest is None else int(newest["version"]) + 1
    ctx.db.insert("checkpoints", {"sessionId": sessionId, "storageId": storageId, "version": version})
    for old in versions.collect()[CHECKPOINTS_KEPT:]:
        ctx.storage.delete(old["storageId"])
        ctx.db.delete(old["_id"])
    return version


@internal_query
def newest_checkpoint(ctx: QueryCtx, sessionId: SessionsId) -> StorageId | None:
    """The newest state of a session."""
    versions = ctx.db.query("checkpoints").with_index("by_session_version", sessionId=sessionId).order("desc")
    newest = versions.first()
    return None if newest is None else newest["storageId"]
