"""Messages: pages of a channel, and sending."""

from convexpy import ConvexError, PaginationOptions, PaginationResult

from ._generated.data_model import ChannelsId, MessagesDoc, MessagesId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, mutation, query
from .channels import ensure_channel
from .lib.callers import Caller, caller_of
from .lib.names import clean_name
from .users import ensure_user


@query
def page(ctx: QueryCtx, channelId: ChannelsId, paginationOpts: PaginationOptions) -> PaginationResult[MessagesDoc]:
    """A page of a channel's messages, newest first. Pages that are loaded stay live."""
    return (
        ctx.db.query("messages")
        .with_index("by_channel", channelId=channelId)
        .order("desc")
        .paginate(paginationOpts)
    )


@mutation
def send(ctx: MutationCtx, channelId: ChannelsId, body: str, author: str | None = None) -> MessagesId:
    """Send a message as the person who is signed in; without sign-in under the name `author`."""
    return _add(ctx, channelId, caller_of(ctx, author), body)


@internal_mutation
def post(ctx: MutationCtx, channel: str, author: str, body: str) -> MessagesId:
    """Add a message that came in over HTTP. Its author is never one of the people who signed in."""
    name = clean_name(author, "user")
    return _add(ctx, ensure_channel(ctx, channel), Caller(f"http:{name}", name), body)


def _add(ctx: MutationCtx, channel_id: ChannelsId, caller: Caller, body: str) -> MessagesId:
    body = body.strip()
    if not 1 <= len(body) <= 4000:
        raise ConvexError({"code": "BadMessage", "message": "a message has 1 to 4000 characters"})
    user = ensure_user(ctx, caller)
    return ctx.db.insert(
        "messages", {"channelId": channel_id, "userId": user["_id"], "author": user["name"], "body": body}
    )
