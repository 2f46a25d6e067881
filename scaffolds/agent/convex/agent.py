"""The agent: takes a prompt, runs code in a sandbox, keeps what comes out of it."""

import json
import mimetypes
from typing import Any

from convexpy import ConvexError

from . import artifacts, sessions
from ._generated.data_model import SessionsId
from ._generated.server import ActionCtx, action, internal_action
from .lib.sandbox import run_code


@action
async def run(ctx: ActionCtx, sessionId: SessionsId, prompt: str) -> dict[str, Any]:
    """Run a prompt (Python code, as long as no model writes it) in the session's sandbox, and wait for its end."""
    if await ctx.run_query(sessions.get, sessionId=sessionId) is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such session"})
    await ctx.run_mutation(sessions.begin, sessionId=sessionId, prompt=prompt)
    return await _run(ctx, sessionId, prompt)


@internal_action
async def run_later(ctx: ActionCtx, sessionId: SessionsId, prompt: str) -> None:
    """Run a prompt that was scheduled: nobody is signed in."""
    await ctx.run_mutation(sessions.begin, sessionId=sessionId, prompt=prompt)
    await _run(ctx, sessionId, prompt)


async def _run(ctx: ActionCtx, session_id: SessionsId, prompt: str) -> dict[str, Any]:
    try:
        state = await _load(ctx, session_id)
        ended = await run_code(prompt)
        for filename, content in ended.files.items():
            kind = mimetypes.guess_type(filename)[0]
            stored = await ctx.storage.store(content, content_type=kind)
            await ctx.run_mutation(artifacts.keep, sessionId=session_id, storageId=stored, filename=filename)
        state["runs"] = state.get("runs", 0) + 1
        saved = await ctx.storage.store(json.dumps(state).encode(), content_type="application/json")
        version = await ctx.run_mutation(artifacts.checkpoint, sessionId=session_id, storageId=saved)
    except Exception as error:
        await ctx.run_mutation(
            sessions.finish, sessionId=session_id, status="failed", error=f"{type(error).__name__}: {error}"
        )
        raise
    status: Any = "completed" if ended.error is None else "failed"
    await ctx.run_mutation(
        sessions.finish, sessionId=session_id, status=status, result=ended.output, error=ended.error
    )
    return {"status": status, "output": ended.output, "error": ended.error, "checkpoint": version}


async def _load(ctx: ActionCtx, session_id: SessionsId) -> dict[str, Any]:
    """Return the state that the last run left."""
    newest = await ctx.run_query(artifacts.newest_checkpoint, sessionId=session_id)
    file = None if newest is None else await ctx.storage.get(newest)
    loaded: dict[str, Any] = {} if file is None else json.loads(await file.read())
    return loaded
