"""The caller, and what they may see: users, roles in workspaces, and the rules of every table."""

import os
from typing import Any, Literal

from convexpy import ConvexError, UserIdentity
from convexpy.helpers import (
    Rules,
    custom_ctx,
    custom_mutation,
    custom_query,
    wrap_database_reader,
    wrap_database_writer,
)

from .._generated.data_model import MembershipsDoc, UsersDoc, WorkspacesId
from .._generated.server import MutationCtx, QueryCtx, mutation, query

Role = Literal["owner", "admin", "member"]
_RANK = {"member": 0, "admin": 1, "owner": 2}


def claims_of(identity: UserIdentity | None) -> tuple[str, str, str | None]:
    """Return token identifier, name and e-mail of the caller.

    Without a token the caller is the deployment's DEMO_USER, which is for development; else the call is refused.
    """
    if identity is not None:
        return identity.token_identifier, identity.name or identity.email or identity.subject, identity.email
    demo = os.environ.get("DEMO_USER")
    if not demo:
        raise ConvexError({"code": "SignedOut", "message": "sign in first"})
    return f"demo|{demo}", demo, None


def find_user(ctx: QueryCtx) -> UsersDoc | None:
    """Return the caller's user; None before the first `users:enter`."""
    token_identifier, _, _ = claims_of(ctx.auth.get_user_identity())
    return ctx.db.query("users").with_index("by_tokenIdentifier", tokenIdentifier=token_identifier).unique()


def require_user(ctx: QueryCtx) -> UsersDoc:
    """Return the caller's user."""
    user = find_user(ctx)
    if user is None:
        raise ConvexError({"code": "UnknownUser", "message": "call users:enter first"})
    return user


def membership(ctx: QueryCtx, workspace_id: WorkspacesId, user: UsersDoc) -> MembershipsDoc | None:
    """Return what a user is in a workspace."""
    index = ctx.db.query("memberships").with_index
    return index("by_workspace_user", workspaceId=workspace_id, userId=user["_id"]).unique()


def require_role(ctx: QueryCtx, workspace_id: WorkspacesId, least: Role = "member") -> UsersDoc:
    """Return the caller's user, who must have at least this role.

    To strangers a workspace does not exist.
    """
    user = require_user(ctx)
    found = membership(ctx, workspace_id, user)
    if found is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such workspace"})
    if _RANK[found["role"]] < _RANK[least]:
        raise ConvexError({"code": "Forbidden", "message": f"this takes the role {least}"})
    return user


def rules(ctx: QueryCtx) -> Rules:
    """Return who may read and change what; a table that is not named is closed."""
    user = find_user(ctx)

    def of_workspace(workspace_id: Any) -> bool:
        return user is not None and membership(ctx, workspace_id, user) is not None

    def of_session(_: Any, document: Any) -> bool:
        session = ctx.db.get("sessions", document["sessionId"])
        return session is not None and of_workspace(session["workspaceId"])

    def myself(_: Any, document: Any) -> bool:
        return user is not None and document["_id"] == user["_id"]

    def in_workspace(_: Any, document: Any) -> bool:
        return of_workspace(document["workspaceId"])

    within: Any = {"read": of_session, "insert": of_session, "modify": of_session}
    return {
        "users": {"read": myself, "modify": myself},
        "workspaces": {"read": lambda _, document: of_workspace(document["_id"])},
        "memberships": {"read": in_workspace},
        "sessions": {"read": in_workspace, "insert": in_workspace, "modify": in_workspace},
        "messages": within,
        "steps": {"read": of_session},
        "artifacts": within,
        "checkpoints": within,
    }


class UserQueryCtx(QueryCtx):
    """The ctx of `user_query`: the caller, and a database in which only what concerns him is there."""

    user: UsersDoc


class UserMutationCtx(MutationCtx):
    """The ctx of `user_mutation`."""

    user: UsersDoc


def _reading(ctx: QueryCtx) -> dict[str, Any]:
    return {"user": require_user(ctx), "db": wrap_database_reader(ctx, ctx.db, rules(ctx))}


def _writing(ctx: MutationCtx) -> dict[str, Any]:
    return {"user": require_user(ctx), "db": wrap_database_writer(ctx, ctx.db, rules(ctx))}


user_query = custom_query(query, custom_ctx(_reading, ctx_type=UserQueryCtx))
user_mutation = custom_mutation(mutation, custom_ctx(_writing, ctx_type=UserMutationCtx))
