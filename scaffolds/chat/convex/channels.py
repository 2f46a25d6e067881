"""Channels."""

from ._generated.data_model import ChannelsDoc, ChannelsId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .lib.names import clean_name


def find_channel(ctx: QueryCtx, name: str) -> ChannelsDoc | None:
    """Return the channel of this name, if there is one."""
    return ctx.db.query("channels").with_index("by_name", name=clean_name(name, "channel")).unique()


@query(name="list")
def list_(ctx: QueryCtx) -> list[ChannelsDoc]:
    """All channels, by name."""
    return ctx.db.query("channels").with_index("by_name").collect()


@mutation
def create(ctx: MutationCtx, name: str, topic: str | None = None) -> ChannelsId:
    """Return the channel of this name, made if there is none."""
    known = find_channel(ctx, name)
    if known is not None:
        return known["_id"]
    channel_id = ctx.db.insert("channels", {"name": clean_name(name, "channel")})
    if topic:
        ctx.db.patch(channel_id, {"topic": topic})
    return channel_id
