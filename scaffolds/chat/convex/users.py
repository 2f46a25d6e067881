"""Who is here."""

from datetime import timedelta

from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, mutation, query
from .lib.names import clean_name

AWAY_AFTER = timedelta(seconds=90)


def ensure_user(ctx: MutationCtx, name: str) -> UsersDoc:
    """Return the user of this name, made if there is none; notes that they were seen now."""
    name = clean_name(name, "user")
    known = ctx.db.query("users").with_index("by_name", name=name).unique()
    if known is None:
        user = ctx.db.get(ctx.db.insert("users", {"name": name, "lastSeen": ctx.now(), "here": True}))
        assert user is not None
        return user
    ctx.db.patch(known["_id"], {"lastSeen": ctx.now(), "here": True})
    return known


@mutation
def enter(ctx: MutationCtx, name: str) -> UsersId:
    """Come in under a name; a page repeats it as long as it is open."""
    return ensure_user(ctx, name)["_id"]


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
