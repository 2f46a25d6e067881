"""Actions of the examples in the Python reference."""

import hashlib
from pathlib import Path

from convexpy import ConvexError, FunctionError, api, internal

from ._generated.server import ActionCtx, SyncActionCtx, action, internal_action


# example: action ActionCtx ActionFunction ActionDecorator ActionReference
@action
async def digest(ctx: ActionCtx, owner: str) -> str:
    """Read with a query, do what takes long, write with a mutation."""
    texts = await ctx.run_query(api.notes.of_owner, owner=owner)
    found = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    await ctx.run_mutation(api.notes.add, owner=owner, text=found)
    return found
# end


# example: SyncActionCtx SyncActionFunction
@action
def in_a_thread(ctx: SyncActionCtx, path: str) -> int:
    """A plain function may block: it runs in a thread, and nothing is awaited."""
    return len(Path(path).read_bytes())
# end


# example: internal_action AsyncScheduler
@internal_action
async def retry_later(ctx: ActionCtx, owner: str) -> None:
    """Schedule something from an action."""
    await ctx.scheduler.run_after(60_000, internal.outside.retry_later, owner=owner)
# end


# example: AsyncAuth
@action
async def whoami(ctx: ActionCtx) -> str:
    """In an action the identity is awaited."""
    identity = await ctx.auth.get_user_identity()
    if identity is None:
        raise ConvexError({"code": "NotSignedIn"})
    return identity.subject
# end


# example: ActionMeta
@action
async def visitor(ctx: ActionCtx) -> str:
    """Who asked, as far as the network knows."""
    return f"{ctx.meta.client_address or 'nobody'} with {ctx.meta.user_agent or 'nothing'}"
# end


# example: ActionStorage StoredFile
@action
async def shout(ctx: ActionCtx, text: str) -> str:
    """Store a file, and read it again."""
    file = await ctx.storage.store(text.encode(), content_type="text/plain")
    stored = await ctx.storage.get(file)
    assert stored is not None
    return (await stored.read()).decode().upper()
# end


# example: SyncStoredFile
@action
def size_of(ctx: SyncActionCtx, fileId: str) -> int:
    """The same without await."""
    stored = ctx.storage.get(fileId)
    return 0 if stored is None else len(stored.read())
# end


# example: FunctionError
@action
async def careful(ctx: ActionCtx) -> str:
    """What a called function raised, other than a `ConvexError`."""
    try:
        await ctx.run_mutation(internal.notes.broken)
    except FunctionError as error:
        return f"{error.function} failed, see request {error.request_id}"
    return "fine"
# end
