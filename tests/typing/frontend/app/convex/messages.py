"""The functions that a front end uses most."""

from typing import Any

from convexpy import ArgumentError, PaginationOptions, PaginationResult, StorageId, v

from ._generated.data_model import ChannelsDoc, ChannelsId, EventsDoc, MessagesDoc, MessagesId
from ._generated.server import ActionCtx, MutationCtx, QueryCtx, action, internal_mutation, mutation, query


@query(name="list")
def list_(ctx: QueryCtx, channel: ChannelsId, limit: int = 10) -> list[MessagesDoc]:
    return ctx.db.query("messages").with_index("by_channel", channel=channel).take(limit)


@query
def page(
    ctx: QueryCtx, channel: ChannelsId, paginationOpts: PaginationOptions
) -> PaginationResult[MessagesDoc]:
    return ctx.db.query("messages").with_index("by_channel", channel=channel).paginate(paginationOpts)


@query
def names(ctx: QueryCtx, paginationOpts: PaginationOptions):
    return ctx.db.query("users").paginate(paginationOpts)


@query
def channels(ctx: QueryCtx) -> list[ChannelsDoc]:
    return ctx.db.query("channels").collect()


@query
def newest(ctx: QueryCtx) -> MessagesDoc | None:
    return ctx.db.query("messages").first()


@query
def events(ctx: QueryCtx) -> list[EventsDoc]:
    return ctx.db.query("events").collect()


@query
def unchecked(ctx: QueryCtx, /, **args: Any):
    return args


@mutation
def send(ctx: MutationCtx, channel: ChannelsId, body: str, author: str | None = None) -> MessagesId:
    raise ArgumentError("not here")


@mutation(args={"message": v.id("messages")}, returns=v.null())
def remove(ctx: MutationCtx, message: MessagesId) -> None:
    ctx.db.delete(message)


@action
async def summarize(ctx: ActionCtx, channel: ChannelsId) -> dict[str, float]:
    return {}


@action
async def upload(ctx: ActionCtx, content: bytes) -> StorageId:
    return await ctx.storage.store(content)


@internal_mutation
def sweep(ctx: MutationCtx, before: float) -> int:
    return 0
