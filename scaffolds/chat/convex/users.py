"""Who is here."""

from datetime import timedelta

from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .lib.names import clean_name


def ensure_user(ctx: MutationCtx, name: str) -> UsersDoc:
    """Return the user of this name, made if there is none; notes that they were seen now."""
    name = clean_name(name, "user")
    known = ctx.db.query("users").with_index("by_name", name=name).unique()
    if known is None:
        user = ctx.db.get(ctx.db.insert("users", {"name": name, "lastSeen": ctx.now()}))
        assert user is not None
        return user
    ctx.db.patch(known["_id"], {"lastSeen": ctx.now()})
    return known


@mutation
def enter(ctx: MutationCtx, name: str) -> UsersId:
    """Come in, under a name."""
    return ensure_user(ctx, name)["_id"]


@query
def recent(ctx: QueryCtx) -> list[str]:
    """Names of those who were seen within the last ten minutes."""
    since = ctx.now() - timedelta(minutes=10).total_seconds() * 1000
    return sorted(user["name"] for user in ctx.db.query("users") if user["lastSeen"] > since)
