"""Queries with a customised ctx and with rules, and a dataclass as a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convexpy.helpers import custom_ctx, custom_query, query_with_rls

from ._generated.data_model import SessionsDoc, UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, query
from .lib.access import current_user, rules


class UserCtx(QueryCtx):
    user: UsersDoc


def _with_user(ctx: QueryCtx) -> Mapping[str, Any]:
    return {"user": current_user(ctx)}


user_query = custom_query(query, custom_ctx(_with_user, ctx_type=UserCtx))
rls_query = query_with_rls(query, rules)


@dataclass
class Profile:
    name: str
    sessions: int


@user_query
def profile(ctx: UserCtx) -> Profile:
    sessions = ctx.db.query("sessions").with_index("by_userId", userId=ctx.user["_id"]).count()
    return Profile(ctx.user["name"], sessions)


@rls_query(name="sessionsOfMine")
def sessions_of_mine(ctx: QueryCtx, limit: int = 20) -> list[SessionsDoc]:
    return ctx.db.query("sessions").order("desc").take(limit)


@internal_mutation
def upsert(ctx: MutationCtx, tokenIdentifier: str, name: str) -> UsersId:
    known = ctx.db.query("users").with_index("by_token", tokenIdentifier=tokenIdentifier).unique()
    if known is None:
        return ctx.db.insert("users", {"tokenIdentifier": tokenIdentifier, "name": name})
    ctx.db.patch(known["_id"], {"name": name})
    return known["_id"]
