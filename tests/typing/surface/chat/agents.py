"""Actions of both kinds: coroutines, and plain functions that run in a thread."""

from datetime import timedelta

from convexpy import StorageId, VectorFilter

from . import messages
from ._generated.api import api, internal
from ._generated.data_model import MessagesDoc, SessionsId
from ._generated.server import ActionCtx, SyncActionCtx, action, internal_action


@action
async def similar(ctx: ActionCtx, sessionId: SessionsId, vector: list[float]) -> list[MessagesDoc]:
    hits = await ctx.vector_search("messages", "by_embedding", vector=vector, limit=5, filter=lambda q: q.eq("sessionId", sessionId))
    found = await ctx.run_query(messages.load, ids=[hit["_id"] for hit in hits])
    return [message for message in found if message is not None]


@action(timeout=timedelta(minutes=2))
async def transcript(ctx: ActionCtx, sessionId: SessionsId) -> StorageId:
    lines = await ctx.run_query(api.messages.list, sessionId=sessionId)
    storage_id = await ctx.storage.store("\n".join(lines).encode(), content_type="text/plain")
    await ctx.scheduler.run_after(0, internal.agents.check, storageId=storage_id)
    return storage_id


@internal_action
def check(ctx: SyncActionCtx, storageId: StorageId) -> int:
    file = ctx.storage.get(storageId)
    return 0 if file is None else len(file.read())


def of_either(a: SessionsId, b: SessionsId, q: VectorFilter) -> object:
    return q.or_(q.eq("sessionId", a), q.eq("sessionId", b))
