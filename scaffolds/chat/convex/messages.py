"""Messages: the newest of a channel, older pages, sending."""

from convexpy import ConvexError, PaginationOptions, PaginationResult

from ._generated.data_model import ChannelsId, MessagesDoc, MessagesId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .channels import create as create_channel
from .channels import find_channel
from .users import ensure_user


@query(name="list")
def list_(ctx: QueryCtx, channel: str, limit: int = 50) -> list[MessagesDoc]:
    """The newest messages of a channel, oldest of them first; none if there is no such channel."""
    found = find_channel(ctx, channel)
    if found is None:
        return []
    messages = ctx.db.query("messages").with_index("by_channel", channelId=found["_id"]).order("desc")
    return messages.take(max(1, min(limit, 200)))[::-1]


@query
def page(ctx: QueryCtx, channelId: ChannelsId, paginationOpts: PaginationOptions) -> PaginationResult[MessagesDoc]:
    """A page of a channel's messages, newest first: for scrolling back."""
    return (
        ctx.db.query("messages")
        .with_index("by_channel", channelId=channelId)
        .order("desc")
        .paginate(paginationOpts)
    )


@mutation
def send(ctx: MutationCtx, channel: str, author: str, body: str) -> MessagesId:
    """Send a message; author and channel are made if they are new."""
    if not body.strip():
        raise ConvexError({"code": "EmptyMessage", "message": "a message needs a text"})
    user = ensure_user(ctx, author)
    channel_id = ctx.run_mutation(create_channel, name=channel)
    return ctx.db.insert("messages", {
        "channelId": channel_id,
        "userId": user["_id"],
        "author": user["name"],
        "body": body.strip(),
    })
