"""What an agent does in a session, step by step, as it happens."""

from typing import Literal

from convexpy import UNSET

from ._generated.data_model import MessagesId, SessionsId, StepsDoc, StepsId
from ._generated.server import MutationCtx, internal_mutation
from .lib.access import UserQueryCtx, user_query

DETAIL_LENGTH_MAX = 20_000


@user_query(name="list")
def list_(ctx: UserQueryCtx, sessionId: SessionsId) -> list[StepsDoc]:
    """The newest steps of a session, oldest of them first."""
    return ctx.db.query("steps").with_index("by_session", sessionId=sessionId).order("desc").take(50)[::-1]


@internal_mutation
def begin(ctx: MutationCtx, sessionId: SessionsId, title: str, detail: str) -> StepsId:
    """Note that a step has begun."""
    detail = detail[:DETAIL_LENGTH_MAX]
    return ctx.db.insert("steps", {"sessionId": sessionId, "title": title, "detail": detail, "state": "running"})


@internal_mutation
def end(ctx: MutationCtx, stepId: StepsId, state: Literal["done", "failed"], output: str) -> None:
    """Note how a step has ended."""
    if ctx.db.get(stepId) is not None:
        ctx.db.patch(stepId, {"state": state, "output": output[:DETAIL_LENGTH_MAX]})


@internal_mutation
def say(ctx: MutationCtx, sessionId: SessionsId, content: str, messageId: MessagesId | None = None) -> MessagesId | None:
    """Write what the model has said so far: a message of its own, which grows. None if the run was ended meanwhile."""
    session = ctx.db.get("sessions", sessionId)
    if session is None or session["status"] != "running":
        return None
    if messageId is None:
        return ctx.db.insert("messages", {"sessionId": sessionId, "role": "assistant", "content": content})
    if ctx.db.get(messageId) is not None:
        ctx.db.patch(messageId, {"content": content})
    return messageId


@internal_mutation
def interrupt(ctx: MutationCtx, sessionId: SessionsId) -> None:
    """End the steps that a run has left open."""
    for step in ctx.db.query("steps").with_index("by_session", sessionId=sessionId).order("desc").take(50):
        if step["state"] == "running":
            ctx.db.patch(step["_id"], {"state": "failed", "output": UNSET})
