"""The executor for actions: many at once, `async def` on one event loop, plain `def` each in a thread of its own.

Actions reach the database only by asking the server (`Request`, answered by `Answer`). Pure of processes: frames come in
through `handle` and go out through `send`; `action_worker.py` is the process around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from convexpy.errors import Error, LimitExceeded
from convexpy.functions import ActionCtx, FunctionDefinition, SyncActionCtx
from convexpy.protocol import http_frames
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import (
    REVOKED,
    Answer,
    Call,
    CallFailure,
    CancelCall,
    ClientGone,
    Damaged,
    FromExecutor,
    Progress,
    ToExecutor,
    ended_action,
)
from convexpy.sandbox import capture, debugging, http_actions, tracebacks
from convexpy.sandbox.executor import arguments
from convexpy.sandbox.failures import failure_of
from convexpy.sandbox.host import find_function
from convexpy.sandbox.loader import LoadedApp
from convexpy.sandbox.loading.import_limits import limit_memory
from convexpy.sandbox.running_action import RunningAction, current_action
from convexpy.values import encode_result

ANSWER_BYTES = 64 * 2**20
"""What an action executor may use beyond its limit to answer, once, when it has passed it."""
MEMORY_LIMIT = "action_executor_memory_bytes"


class LoopBlocked(BaseException):
    """An `async def` action kept the event loop to itself for too long. No `except Exception` of the action holds it up."""


class ActionTimeout(Error):
    """An action was ended at its limit."""


class ActionExecutor:
    """Runs actions on the running event loop; frames in through `handle`, out through `send`."""

    def __init__(
        self,
        app: LoadedApp,
        settings: ExecutorSettings,
        send: Callable[[FromExecutor], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        is_revoked: Callable[[int], bool] = lambda call: False,
    ) -> None:
        self.app = app
        self.settings = settings
        self.send = send
        self.now_ms = now_ms
        self._is_revoked = is_revoked
        self.began_beating: Callable[[], None] = lambda: None
        """Called when an action is taken."""
        self.on_unanswered: Callable[[], None] = lambda: None
        """Called when an action could not be answered."""
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._running: dict[int, RunningAction] = {}
        self._requests = 0

    def next_request(self) -> int:
        """Return a number for a request to the server."""
        self._requests += 1
        return self._requests

    @property
    def is_busy(self) -> bool:
        """Whether actions run."""
        return bool(self._running)

    def handle(self, frame: ToExecutor) -> None:
        """Take one frame, on the event loop; frames about transactions are none of an action's business."""
        match frame:
            case Call():
                self._start(frame)
            case Answer():
                action = self._running.get(frame.call)
                if action is not None:
                    action.answer(frame)
            case CancelCall():
                self._cancel(frame)
            case ClientGone():
                running = self._running.get(frame.call)
                if running is not None:
                    running.gone.set()
            case _:
                pass

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        tasks = [action.task for action in self._running.values() if action.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, call: Call) -> None:
        action = RunningAction(self, call)
        self._running[call.id] = action
        self.began_beating()
        context = contextvars.copy_context()
        context.run(capture.current_sink.set, action.sink)
        context.run(debugging.current.set, action.debugged)
        context.run(current_action.set, action)
        action.task = self.loop.create_task(self._run(action), context=context)
        action.task.add_done_callback(self._task_ended)

    def _cancel(self, frame: CancelCall) -> None:
        action = self._running.get(frame.id)
        if action is None or action.task is None:
            return
        action.cancelled = frame
        if action.thread is not None:
            # At its next bytecode.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(action.thread), ctypes.py_object(ActionTimeout)
            )
        else:
            action.task.cancel()

    async def _run(self, action: RunningAction) -> None:
        call, started = action.call, time.perf_counter()
        value, failure = b"null", None
        self.send(Progress(call.id, []))  # it has begun: from now on it is not run anywhere else
        if self._is_revoked(call.id):  # but not if it was revoked while another action kept the loop busy
            del self._running[call.id]
            self.send(ended_action(call.id, b"null", CallFailure(REVOKED, "", function=call.path)))
            return
        try:
            value = await self._invoke(action)
            if len(value) > self.settings.knobs.result_bytes:
                raise LimitExceeded(
                    f"{call.path} returned more than the limit result_bytes", limit="result_bytes"
                )
        except BaseException as error:  # noqa: BLE001 - the edge of an action: this is its outcome
            if isinstance(error, MemoryError):
                limit_memory(ANSWER_BYTES)  # room for the answer: this process takes no more work after it
            failure = self._failure(action, error)
            tracebacks.release(error)
        finally:
            action.ended = True
            del self._running[call.id]
            if action.debugged is not None:
                action.debugged.end()
        action.sink.finish()
        self.send(ended_action(call.id, value, failure, time.perf_counter() - started))
        if failure is not None and failure.limit == MEMORY_LIMIT:
            self.send(Damaged(f"{call.path} passed the limit {MEMORY_LIMIT}"))

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        """An action that could not be answered, for lack of memory for instance, must not hang: this process ends."""
        if not task.cancelled() and task.exception() is not None:
            self.on_unanswered()

    def interrupted(self) -> None:
        """End the action that keeps the loop from turning (called in its very code, by a signal).

        Raises:
            LoopBlocked: one does.
        """
        action = current_action.get()
        if action is not None:
            raise LoopBlocked

    def _failure(self, action: RunningAction, error: BaseException) -> CallFailure:
        if action.cancelled is not None:
            limited = LimitExceeded(action.cancelled.reason, limit=action.cancelled.limit)
            limited.__traceback__ = error.__traceback__
            error = limited
        elif isinstance(error, LoopBlocked | MemoryError):
            knobs, path = self.settings.knobs, action.call.path
            if isinstance(error, LoopBlocked):
                text = f"action_loop_block_s: {knobs.action_loop_block_s:g} s without an `await` that gives way to others"
                limited = LimitExceeded(f"{path} exceeded the limit {text}", limit="action_loop_block_s")
            else:
                text = f"{MEMORY_LIMIT}: {knobs.action_executor_memory_bytes // 2**20} MiB of memory"
                limited = LimitExceeded(f"{path} exceeded the limit {text}", limit=MEMORY_LIMIT)
            limited.__traceback__ = error.__traceback__
            error = limited
        return failure_of(error, action.call.path, self.app.marker)

    async def _invoke(self, action: RunningAction) -> bytes:
        """Return the wire JSON of the result, or the reply of an HTTP action."""
        call = action.call
        if call.kind == "http":
            ctx = ActionCtx(action)
            return http_frames.encode(
                await http_actions.respond(self.app.http, ctx, http_frames.decode_call(call.args), action)
            )
        definition = find_function(self.app, "action", call.path)
        args = arguments(call.args)
        if not definition.is_async:
            return encode_result(await self._in_thread(action, definition, args))
        ctx = ActionCtx(action)
        result = definition.finish(await definition.run(ctx, **definition.prepare(args)))
        forgotten = ctx._unawaited()
        if forgotten:
            raise Error(
                f"{call.path} called {', '.join(forgotten)} without awaiting the result: write `await ctx.…`",
                code="NotAwaited",
            )
        return encode_result(result)

    async def _in_thread(
        self, action: RunningAction, definition: FunctionDefinition, args: dict[str, Any]
    ) -> Any:
        ended: asyncio.Future[tuple[Any, BaseException | None]] = self.loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result((result, error))

        def work() -> None:
            action.thread = threading.get_ident()
            result, failure = None, None
            try:
                result = definition.invoke(SyncActionCtx(action), args)
            except BaseException as error:  # noqa: BLE001 - carried over to the event loop
                failure = error
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(finish, result, failure)

        context = contextvars.copy_context()
        context.run(current_action.set, None)  # a thread does not block the loop
        threading.Thread(target=context.run, args=(work,), name=action.call.path, daemon=True).start()
        result, error = await ended
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error  # or this frame and its traceback would hold each other
