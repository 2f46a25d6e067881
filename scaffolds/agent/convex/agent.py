"""The agent: takes a prompt, lets the model think and use its tools, and keeps what comes out of it."""

import json
import mimetypes
import time
from typing import Any

from convexpy import ConvexError

from . import artifacts, messages, sessions, steps
from ._generated.data_model import MessagesId, SessionsId
from ._generated.server import ActionCtx, action, internal_action
from .lib import model
from .lib.sandbox import Run, run_code

TURNS_MAX = 12
WRITE_EVERY_S = 0.15
"""How often the page sees an answer grow."""


@action
async def run(ctx: ActionCtx, sessionId: SessionsId, prompt: str) -> dict[str, Any]:
    """Give the agent a prompt, and wait for its answer; meanwhile everybody sees its steps, and the answer as it grows."""
    if await ctx.run_query(sessions.get, sessionId=sessionId) is None:
        raise ConvexError({"code": "NotFound", "message": "there is no such session"})
    await ctx.run_mutation(sessions.begin, sessionId=sessionId, prompt=prompt)
    return await _run(ctx, sessionId)


@internal_action
async def run_later(ctx: ActionCtx, sessionId: SessionsId, prompt: str) -> None:
    """Run a prompt that was scheduled: nobody is signed in."""
    await ctx.run_mutation(sessions.begin, sessionId=sessionId, prompt=prompt)
    await _run(ctx, sessionId)


async def _run(ctx: ActionCtx, session_id: SessionsId) -> dict[str, Any]:
    try:
        state = await _load(ctx, session_id)
        answer, error = await _converse(ctx, session_id)
        state["runs"] = state.get("runs", 0) + 1
        saved = await ctx.storage.store(json.dumps(state).encode(), content_type="application/json")
        version = await ctx.run_mutation(artifacts.checkpoint, sessionId=session_id, storageId=saved)
    except Exception as failed:
        await ctx.run_mutation(steps.interrupt, sessionId=session_id)
        await ctx.run_mutation(
            sessions.finish, sessionId=session_id, status="failed", error=f"{type(failed).__name__}: {failed}"
        )
        raise
    status: Any = "completed" if error is None else "failed"
    await ctx.run_mutation(sessions.finish, sessionId=session_id, status=status, error=error)
    return {"status": status, "output": answer, "error": error, "checkpoint": version}


async def _converse(ctx: ActionCtx, session_id: SessionsId) -> tuple[str, str | None]:
    """Let the model answer, with its tools; return what it has said last, and how code failed that no model will look at."""
    conversation: list[model.Message] = [*await ctx.run_query(messages.for_agent, sessionId=session_id)]
    error: str | None = None
    for _ in range(TURNS_MAX):
        turn = await _answer(ctx, session_id, conversation)
        if not turn.tool_calls:
            return turn.text, error
        conversation.append(turn.as_message())
        for call in turn.tool_calls:
            ended = await _use(ctx, session_id, call)
            shown = {"output": ended.output, "error": ended.error, "files": sorted(ended.files)}
            conversation.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(shown)})
            error = ended.error if model.is_stand_in() else None
    return "", f"not done after {TURNS_MAX} turns"


async def _answer(ctx: ActionCtx, session_id: SessionsId, conversation: list[model.Message]) -> model.Turn:
    """Stream one turn of the model into the session."""
    turn, shown, written_at = model.Turn(), "", 0.0
    message: MessagesId | None = None
    async for turn in model.stream(conversation):
        if turn.text != shown and time.monotonic() - written_at > WRITE_EVERY_S:
            message = await ctx.run_mutation(
                steps.say, sessionId=session_id, content=turn.text, messageId=message
            )
            shown, written_at = turn.text, time.monotonic()
    if turn.text != shown:
        await ctx.run_mutation(steps.say, sessionId=session_id, content=turn.text, messageId=message)
    return turn


async def _use(ctx: ActionCtx, session_id: SessionsId, call: model.ToolCall) -> Run:
    """Use a tool; the files that it leaves become the session's."""
    try:
        code = str(json.loads(call.arguments)["code"])
    except (ValueError, KeyError, TypeError):
        return Run("", f"{call.name} needs an object with `code`")
    if call.name != "run_python":
        return Run("", f"there is no tool {call.name}")
    step = await ctx.run_mutation(steps.begin, sessionId=session_id, title="run_python", detail=code)
    ended = await run_code(code)
    for filename, content in ended.files.items():
        kind = mimetypes.guess_type(filename)[0]
        stored = await ctx.storage.store(content, content_type=kind)
        await ctx.run_mutation(artifacts.keep, sessionId=session_id, storageId=stored, filename=filename)
    output = ended.output if ended.error is None else f"{ended.output}{ended.error}"
    await ctx.run_mutation(steps.end, stepId=step, state="done" if ended.error is None else "failed", output=output)
    return ended


async def _load(ctx: ActionCtx, session_id: SessionsId) -> dict[str, Any]:
    """Return the state that the last run left."""
    newest = await ctx.run_query(artifacts.newest_checkpoint, sessionId=session_id)
    file = None if newest is None else await ctx.storage.get(newest)
    loaded: dict[str, Any] = {} if file is None else json.loads(await file.read())
    return loaded
