"""Workspaces, and who is what in them."""

from typing import Any

from convexpy import ConvexError

from ._generated.data_model import UsersId, WorkspacesId
from ._generated.server import MutationCtx, mutation
from .lib.access import (
    Role,
    UserQueryCtx,
    membership,
    require_role,
    require_user,
    user_query,
)


@mutation
def create(ctx: MutationCtx, name: str) -> WorkspacesId:
    """Make a workspace; the caller owns it."""
    if not name.strip():
        raise ConvexError({"code": "BadName", "message": "a workspace needs a name"})
    user = require_user(ctx)
    workspace_id = ctx.db.insert("workspaces", {"name": name.strip(), "ownerId": user["_id"]})
    ctx.db.insert("memberships", {"workspaceId": workspace_id, "userId": user["_id"], "role": "owner"})
    return workspace_id


@user_query(name="list")
def list_(ctx: UserQueryCtx) -> list[dict[str, Any]]:
    """The caller's workspaces, each with the caller's role."""
    mine = ctx.db.query("memberships").with_index("by_user", userId=ctx.user["_id"])
    found = [(ctx.db.get("workspaces", each["workspaceId"]), each["role"]) for each in mine]
    return [{**workspace, "role": role} for workspace, role in found if workspace is not None]


@mutation
def set_role(ctx: MutationCtx, workspaceId: WorkspacesId, userId: UsersId, role: Role | None) -> None:
    """Give a user a role, or none: admins may; only owners make owners and change them."""
    require_role(ctx, workspaceId, "owner" if role == "owner" else "admin")
    user = ctx.db.get("users", userId)
    if user is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such user"})
    known = membership(ctx, workspaceId, user)
    if known is not None and known["role"] == "owner":
        require_role(ctx, workspaceId, "owner")
    if known is not None:
        ctx.db.delete(known["_id"])
    if role is not None:
        ctx.db.insert("memberships", {"workspaceId": workspaceId, "userId": userId, "role": role})
