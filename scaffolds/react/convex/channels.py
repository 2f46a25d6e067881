"""Channels."""

from ._generated.data_model import ChannelsDoc, ChannelsId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .lib.callers import caller_of
from .lib.names import clean_name


def ensure_channel(ctx: MutationCtx, name: str) -> ChannelsId:
    """Return the channel of this name, made if there is none."""
    name = clean_name(name, "channel")
    known = ctx.db.query("channels").with_index("by_name", name=name).unique()
    return ctx.db.insert("channels", {"name": name}) if known is None else known["_id"]


@query(name="list")
def list_(ctx: QueryCtx) -> list[ChannelsDoc]:
    """Channels by name; at most 200."""
    return ctx.db.query("channels").with_index("by_name").take(200)


@mutation
def create(ctx: MutationCtx, name: str, author: str | None = None) -> ChannelsId:
    """Return the channel of this name, made if there is none."""
    caller_of(ctx, author)
    return ensure_channel(ctx, name)
