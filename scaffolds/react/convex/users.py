"""Who is here."""

from datetime import timedelta

from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, mutation, query
from .channels import ensure_channel
from .lib.callers import Caller, caller_of, find_caller

AWAY_AFTER = timedelta(seconds=90)


def find_user(ctx: QueryCtx, caller: Caller) -> UsersDoc | None:
    """Return the caller's user, if they were here before."""
    return ctx.db.query("users").with_index("by_identifier", identifier=caller.identifier).unique()


def ensure_user(ctx: MutationCtx, caller: Caller) -> UsersDoc:
    """Return the caller's user, created at the first call; notes that they were seen now."""
    known = find_user(ctx, caller)
    if known is None:
        user_id = ctx.db.insert(
            "users",
            {"identifier": caller.identifier, "name": caller.name, "lastSeen": ctx.now(), "here": True},
        )
    else:
        user_id = known["_id"]
        ctx.db.patch(user_id, {"name": caller.name, "lastSeen": ctx.now(), "here": True})
    user = ctx.db.get(user_id)
    assert user is not None
    return user


@mutation
def enter(ctx: MutationCtx, author: str | None = None) -> UsersId:
    """Come in; a page repeats it as long as it is open. Makes a first channel if there is none."""
    user = ensure_user(ctx, caller_of(ctx, author))
    if ctx.db.query("channels").first() is None:
        ensure_channel(ctx, "general")
    return user["_id"]


@mutation
def leave(ctx: MutationCtx, author: str | None = None) -> None:
    """Leave: others no longer see the caller as here."""
    user = find_user(ctx, caller_of(ctx, author))
    if user is not None:
        ctx.db.patch(user["_id"], {"here": False})


@query
def me(ctx: QueryCtx, author: str | None = None) -> str | None:
    """The name that others see, or None if nobody is signed in."""
    caller = find_caller(ctx, author)
    return None if caller is None else caller.name


@internal_mutation
def mark_away(ctx: MutationCtx) -> None:
    """Mark those of whom nothing was heard for a while: their page was closed, or their machine sleeps."""
    silent_since = ctx.now() - AWAY_AFTER.total_seconds() * 1000
    here = ctx.db.query("users").with_index("by_here", lambda q: q.eq("here", True).lt("lastSeen", silent_since))
    for user in here.take(100):
        ctx.db.patch(user["_id"], {"here": False})


@query
def recent(ctx: QueryCtx) -> list[str]:
    """Names of those who are here; at most 100."""
    return sorted({user["name"] for user in ctx.db.query("users").with_index("by_here", here=True).take(100)})
