"""What was said in a session."""

from convexpy import PaginationOptions, PaginationResult

from ._generated.data_model import MessagesDoc, SessionsId
from .lib.access import UserQueryCtx, user_query


@user_query
def page(ctx: UserQueryCtx, sessionId: SessionsId, paginationOpts: PaginationOptions) -> PaginationResult[MessagesDoc]:
    """A page of a session's messages, newest first."""
    return ctx.db.query("messages").with_index("by_session", sessionId=sessionId).order("desc").paginate(paginationOpts)
