"""The executor for actions: many at once, `async def` on one event loop, plain `def` each in a thread of its own.

Actions reach the database only by asking the server (`Request`, answered by `Answer`). Pure of processes: frames come in
through `handle` and go out through `send`; `action_worker.py` is the process around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from convexpy.database import InvalidCursor
from convexpy.errors import (
    ArgumentError,
    AuthError,
    ConvexError,
    Error,
    FunctionError,
    FunctionNotFound,
    LimitExceeded,
)
from convexpy.execution import capture, debugging, http_actions
from convexpy.execution.executor import arguments, failure_of
from convexpy.execution.files import StorageIdNotFound
from convexpy.execution.host import find_function
from convexpy.execution.loader import LoadedApp
from convexpy.execution.settings import ExecutorSettings
from convexpy.functions import ActionCtx, FunctionDefinition, SyncActionCtx
from convexpy.protocol import http_frames
from convexpy.protocol.frames import (
    SEED_BYTES,
    Answer,
    Call,
    CallFailure,
    CancelCall,
    FromExecutor,
    LogLine,
    Progress,
    Request,
    ToExecutor,
    ended_action,
)
from convexpy.runtime import secure_random
from convexpy.values import decode_wire, encode_wire

REVOKED = "Revoked"
CLIENT_GONE = "ClientDisconnected"
_ERRORS: dict[str, type[Error]] = {
    **{cls.default_code: cls for cls in (ArgumentError, FunctionNotFound)},
    "InvalidId": ArgumentError,
    "Sha256Mismatch": ArgumentError,
    "StorageIdNotFound": StorageIdNotFound,
}


class ActionTimeout(Error):
    """An action was ended at its limit."""

    default_code = "ActionTimeout"


def raise_failure(failure: CallFailure) -> None:
    """Raise in the caller what a nested call ended with."""
    if failure.code == CLIENT_GONE:
        raise ConnectionResetError(failure.detail)
    if failure.code == "InvalidCursor":
        raise InvalidCursor
    if failure.data is not None:
        raise ConvexError(decode_wire(failure.data))
    message = failure.detail.split("\n    at ")[0]
    message = message.removeprefix("Uncaught ")
    if failure.code == LimitExceeded.default_code:
        raise LimitExceeded(message.removeprefix("LimitExceeded: "), limit=failure.limit)
    if failure.code in _ERRORS:
        kind = _ERRORS[failure.code]
        message = message.removeprefix(f"{failure.code}: ").removeprefix(f"{kind.__name__}: ")
        raise kind(message, code=failure.code)
    raise FunctionError(message, function=failure.function, traceback=failure.traceback)


class _RunningAction:
    """One action between its call and its result; implements `functions._host.ActionHost`."""

    def __init__(self, executor: ActionExecutor, call: Call) -> None:
        self.executor = executor
        self.call = call
        self._random: random.Random | None = None
        self.log = capture.app_logger()
        self.cancelled: CancelCall | None = None
        self.task: asyncio.Task[Any] | None = None
        self.thread: int | None = None
        self.requests: dict[int, asyncio.Future[bytes]] = {}
        debugger = executor.settings.debugger
        self.debugged = debugging.DebuggedCall(call, debugger, executor.send) if debugger else None
        self.sink = capture.LogSink(
            executor.settings.knobs.log_bytes_per_call, self._progress, function=call.path
        )

    @property
    def random(self) -> random.Random:
        """A generator of this call, seeded by the operating system when first asked for."""
        if self._random is None:
            self._random = random.Random(secure_random.randbytes(SEED_BYTES))
        return self._random

    @property
    def request_id(self) -> str:
        """The id of the call from outside."""
        return self.call.request_id

    @property
    def function(self) -> str:
        """The path of the action."""
        return self.call.path

    @property
    def client_address(self) -> str | None:
        """Where the call came from, if known."""
        return self.call.client_address

    @property
    def user_agent(self) -> str | None:
        """What the caller says it is, if known."""
        return self.call.user_agent

    @property
    def spool(self) -> Path:
        """Where the content of files to store is put."""
        return Path(self.executor.settings.spool)

    def now_ms(self) -> int:
        """Return the clock: time goes on in actions."""
        return self.executor.now_ms()

    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return nothing used: an action has no transaction."""
        budget = self.executor.settings.knobs.transaction
        return {name: (0, getattr(budget, name)) for name in budget.__struct_fields__}

    async def request(self, operation: str, payload: dict[str, Any]) -> Any:
        """Ask the server, from the event loop."""
        if operation == "identity":
            return self._identity()
        return await self._ask(operation, payload)

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any:
        """Ask the server, from the thread of a plain `def` action."""
        if operation == "identity":
            return self._identity()
        return asyncio.run_coroutine_threadsafe(self._ask(operation, payload), self.executor.loop).result()

    def _identity(self) -> dict[str, Any] | None:
        if self.call.token_error:
            raise AuthError(self.call.token_error)
        return msgspec.json.decode(self.call.identity) if self.call.identity else None

    async def _ask(self, operation: str, payload: dict[str, Any]) -> Any:
        return decode_wire(await self.ask_raw(operation, encode_wire(payload)))

    async def ask_raw(self, operation: str, payload: bytes = b"") -> bytes:
        """Ask the server with bytes; return the bytes of its answer."""
        number = self.executor.next_request()
        future: asyncio.Future[bytes] = self.executor.loop.create_future()
        self.requests[number] = future
        try:
            self.executor.send(Request(self.call.id, number, operation, payload))
            return await future
        finally:
            del self.requests[number]

    def answer(self, frame: Answer) -> None:
        """Finish a request with the server's answer."""
        future = self.requests.get(frame.request)
        if future is None or future.done():
            return
        if frame.failure is None:
            future.set_result(frame.value)
            return
        try:
            raise_failure(frame.failure)
        except Exception as error:  # noqa: BLE001 - carried over to the action that asked
            future.set_exception(error)

    def _progress(self, line: LogLine) -> None:
        self.executor.send(Progress(self.call.id, [line]))


class ActionExecutor:
    """Runs actions on the running event loop; frames in through `handle`, out through `send`."""

    def __init__(
        self,
        app: LoadedApp,
        settings: ExecutorSettings,
        send: Callable[[FromExecutor], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        claim: Callable[[int], bool] = lambda call: True,
    ) -> None:
        self.app = app
        self.settings = settings
        self.send = send
        self.now_ms = now_ms
        self._claim = claim
        self.loop = asyncio.get_running_loop()
        self._running: dict[int, _RunningAction] = {}
        self._requests = 0

    def next_request(self) -> int:
        """Return a number for a request to the server."""
        self._requests += 1
        return self._requests

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
            case _:
                pass

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        tasks = [action.task for action in self._running.values() if action.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, call: Call) -> None:
        action = _RunningAction(self, call)
        self._running[call.id] = action
        context = contextvars.copy_context()
        context.run(capture.current_sink.set, action.sink)
        context.run(debugging.current.set, action.debugged)
        action.task = self.loop.create_task(self._run(action), context=context)

    def _cancel(self, frame: CancelCall) -> None:
        action = self._running.get(frame.id)
        if action is None or action.task is None:
            return
        action.cancelled = frame
        if action.thread is not None:
            _raise_in_thread(action.thread)
        else:
            action.task.cancel()

    async def _run(self, action: _RunningAction) -> None:
        call, started = action.call, time.perf_counter()
        value, failure = b"null", None
        if not self._claim(call.id):
            del self._running[call.id]  # revoked while another action kept the loop busy
            return
        self.send(Progress(call.id, []))  # it has begun: from now on it is not run anywhere else
        try:
            value = await self._invoke(action)
            if len(value) > self.settings.knobs.result_bytes:
                raise LimitExceeded(
                    f"{call.path} returned more than the limit result_bytes", limit="result_bytes"
                )
        except asyncio.CancelledError as error:
            failure = self._failure(action, error)
        except (Exception, debugging.DebuggerQuit) as error:  # noqa: BLE001 - the edge of an action: this is its outcome
            failure = self._failure(action, error)
        finally:
            del self._running[call.id]
            if action.debugged is not None:
                action.debugged.end()
        action.sink.finish()
        self.send(ended_action(call.id, value, failure, time.perf_counter() - started))

    def _failure(self, action: _RunningAction, error: BaseException) -> CallFailure:
        if action.cancelled is not None:
            limited = LimitExceeded(action.cancelled.reason, limit=action.cancelled.limit)
            limited.__traceback__ = error.__traceback__
            error = limited
        return failure_of(error, action.call.path, self.app.marker)

    async def _invoke(self, action: _RunningAction) -> bytes:
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
            return encode_wire(await self._in_thread(action, definition, args))
        ctx = ActionCtx(action)
        result = definition.finish(await definition.run(ctx, **definition.prepare(args)))
        forgotten = ctx._unawaited()
        if forgotten:
            raise Error(
                f"{call.path} called {', '.join(forgotten)} without awaiting the result: write `await ctx.…`",
                code="NotAwaited",
            )
        return encode_wire(result)

    async def _in_thread(
        self, action: _RunningAction, definition: FunctionDefinition, args: dict[str, Any]
    ) -> Any:
        future: asyncio.Future[Any] = self.loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                known = isinstance(error, Exception | debugging.DebuggerQuit)
                future.set_exception(error if known else RuntimeError(repr(error)))

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
        threading.Thread(target=context.run, args=(work,), name=action.call.path, daemon=True).start()
        return await future


def _raise_in_thread(thread: int) -> None:
    """Raise ActionTimeout in a thread at its next bytecode."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(ActionTimeout))
