"""What was said in a session."""

from convexpy import PaginationOptions, PaginationResult

from ._generated.data_model import MessagesDoc, SessionsId
from ._generated.server import QueryCtx, internal_query
from .lib.access import UserQueryCtx, user_query

REMEMBERED = 30


@user_query
def page(ctx: UserQueryCtx, sessionId: SessionsId, paginationOpts: PaginationOptions) -> PaginationResult[MessagesDoc]:
    """A page of a session's messages, newest first."""
    return ctx.db.query("messages").with_index("by_session", sessionId=sessionId).order("desc").paginate(paginationOpts)


@internal_query
def for_agent(ctx: QueryCtx, sessionId: SessionsId) -> list[dict[str, str]]:
    """What the model is told of a session: what people and it have said last."""
    found = ctx.db.query("messages").with_index("by_session", sessionId=sessionId).order("desc").take(REMEMBERED)
    return [{"role": each["role"], "content": each["content"]} for each in reversed(found) if each["role"] != "system"]
