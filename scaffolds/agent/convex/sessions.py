"""Sessions of an agent: made by people, moved on by the agent through internal functions."""

from datetime import timedelta
from typing import Literal

from convexpy import UNSET, ConvexError
from convexpy.helpers import rate_limit

from ._generated.data_model import SessionsDoc, SessionsId, WorkspacesId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, internal_query
from .lib.access import (
    UserMutationCtx,
    UserQueryCtx,
    require_role,
    user_mutation,
    user_query,
)

FOLLOW_UP = timedelta(minutes=5)


@user_query(name="list")
def list_(ctx: UserQueryCtx, workspaceId: WorkspacesId) -> list[SessionsDoc]:
    """A workspace's sessions, newest first."""
    return ctx.db.query("sessions").with_index("by_workspace", workspaceId=workspaceId).order("desc").take(50)


@user_query
def get(ctx: UserQueryCtx, sessionId: SessionsId) -> SessionsDoc | None:
    """A session; None if there is none, or none for the caller."""
    return ctx.db.get("sessions", sessionId)


@user_mutation
def create(ctx: UserMutationCtx, workspaceId: WorkspacesId, name: str) -> SessionsId:
    """Begin a session in a workspace of the caller's."""
    require_role(ctx, workspaceId)
    return ctx.db.insert("sessions", {
        "workspaceId": workspaceId,
        "createdBy": ctx.user["_id"],
        "name": name,
        "status": "pending",
        "lastActiveAt": ctx.now(),
    })


@internal_query
def for_agent(ctx: QueryCtx, sessionId: SessionsId) -> SessionsDoc | None:
    """A session, whoever asks."""
    return ctx.db.get("sessions", sessionId)


@internal_mutation
def begin(ctx: MutationCtx, sessionId: SessionsId, prompt: str) -> None:
    """Mark a session as running, note what was asked, and have somebody look after it later."""
    from . import maintenance

    session = ctx.db.get("sessions", sessionId)
    if session is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such session"})
    if session["status"] == "running":
        raise ConvexError({"code": "Busy", "message": "this session is running already"})
    limit = rate_limit(ctx, "runs", rate=30, period=timedelta(minutes=1), key=session["workspaceId"])
    if not limit.ok:
        raise ConvexError({"code": "RateLimited", "message": "too many runs", "retryAt": limit.retry_at})
    ctx.db.insert("messages", {"sessionId": sessionId, "role": "user", "content": prompt})
    ctx.db.patch(sessionId, {"status": "running", "error": UNSET, "lastActiveAt": ctx.now()})
    ctx.scheduler.run_after(FOLLOW_UP, maintenance.check_session, sessionId=sessionId)


@internal_mutation
def finish(
    ctx: MutationCtx,
    sessionId: SessionsId,
    status: Literal["completed", "failed"],
    result: str = "",
    error: str | None = None,
) -> bool:
    """End a run with its result; False if the session is not running (any more)."""
    session = ctx.db.get("sessions", sessionId)
    if session is None or session["status"] != "running":
        return False
    if result:
        ctx.db.insert("messages", {"sessionId": sessionId, "role": "assistant", "content": result})
    if error:
        ctx.db.insert("messages", {"sessionId": sessionId, "role": "system", "content": error})
    ctx.db.patch(sessionId, {"status": status, "error": error or UNSET, "lastActiveAt": ctx.now()})
    return True
