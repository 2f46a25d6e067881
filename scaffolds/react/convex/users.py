"""Who is here."""

from datetime import timedelta

from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .channels import ensure_channel
from .lib.callers import Caller, caller_of, find_caller


def ensure_user(ctx: MutationCtx, caller: Caller) -> UsersDoc:
    """Return the caller's user, created at the first call; notes that they were seen now."""
    known = ctx.db.query("users").with_index("by_identifier", identifier=caller.identifier).unique()
    if known is None:
        user_id = ctx.db.insert(
            "users", {"identifier": caller.identifier, "name": caller.name, "lastSeen": ctx.now()}
        )
    else:
        user_id = known["_id"]
        ctx.db.patch(user_id, {"name": caller.name, "lastSeen": ctx.now()})
    user = ctx.db.get(user_id)
    assert user is not None
    return user


@mutation
def enter(ctx: MutationCtx, author: str | None = None) -> UsersId:
    """Come in. The first to do so finds a channel to talk in."""
    user = ensure_user(ctx, caller_of(ctx, author))
    if ctx.db.query("channels").first() is None:
        ensure_channel(ctx, "general")
    return user["_id"]


@query
def me(ctx: QueryCtx, author: str | None = None) -> str | None:
    """The name that others see, or None if nobody is signed in."""
    caller = find_caller(ctx, author)
    return None if caller is None else caller.name


@query
def recent(ctx: QueryCtx) -> list[str]:
    """Names of those who wrote or came in within the last ten minutes; at most 100."""
    since = ctx.now() - timedelta(minutes=10).total_seconds() * 1000
    seen = ctx.db.query("users").with_index("by_lastSeen", lambda q: q.gt("lastSeen", since))
    return sorted({user["name"] for user in seen.order("desc").take(100)})
