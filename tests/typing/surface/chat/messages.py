"""Two kinds of documents in one table, full text search, and arguments taken as a dict."""

from typing import Any, cast

from convexpy import v

from ._generated.data_model import MessagesDoc, MessagesFields, MessagesId, SessionsId
from ._generated.server import MutationCtx, QueryCtx, internal_query, mutation, query

_send_args = {"sessionId": v.id("sessions"), "kind": v.literal("text"), "text": v.string()}


@query(name="list")
def list_(ctx: QueryCtx, sessionId: SessionsId) -> list[str]:
    """Narrowed by the literal in `kind`."""
    found: list[str] = []
    for message in ctx.db.query("messages").with_index("by_session", sessionId=sessionId):
        if message["kind"] == "text":
            found.append(message["text"])
        else:
            found.append(ctx.storage.get_url(message["storageId"]) or "gone")
    return found


@mutation(args=_send_args)
def send(ctx: MutationCtx, /, **message: Any) -> MessagesId:
    return ctx.db.insert("messages", cast(MessagesFields, message))


@query
def search(ctx: QueryCtx, text: str, sessionId: SessionsId | None = None) -> list[MessagesDoc]:
    return ctx.db.query("messages").with_search_index(
        "search_text",
        lambda q: q.search("text", text) if sessionId is None else q.search("text", text).eq("sessionId", sessionId),
    ).take(20)


@internal_query
def load(ctx: QueryCtx, ids: list[MessagesId]) -> list[MessagesDoc | None]:
    return ctx.db.get_many(ids)
