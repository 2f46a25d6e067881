"""One action between its call and its result: what its ctx asks of the server, and what the server answers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn, Protocol

import msgspec

from convexpy.database import CallEnded, InvalidCursor
from convexpy.errors import (
    ArgumentError,
    AuthError,
    ConvexError,
    Error,
    FunctionError,
    FunctionNotFound,
    LimitExceeded,
)
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import (
    CLIENT_GONE,
    SEED_BYTES,
    Answer,
    Call,
    CallFailure,
    CancelCall,
    FromExecutor,
    Progress,
    Request,
)
from convexpy.runtime import secure_random
from convexpy.sandbox import capture, debugging
from convexpy.sandbox.files import StorageIdNotFound
from convexpy.values import decode_wire, encode_wire

_ERRORS: dict[str, type[Error]] = {
    **{cls.default_code: cls for cls in (ArgumentError, FunctionNotFound)},
    "ArgumentValidationError": ArgumentError,
    "InvalidId": ArgumentError,
    "Sha256Mismatch": ArgumentError,
    "StorageIdNotFound": StorageIdNotFound,
}


def raise_failure(failure: CallFailure) -> NoReturn:
    """Raise in the caller what a nested call ended with."""
    __tracebackhide__ = True
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


current_action: ContextVar[RunningAction | None] = ContextVar("convexpy_action", default=None)
"""The action whose code runs on the event loop."""


class ActionServer(Protocol):
    """What an action uses of its executor."""

    settings: ExecutorSettings
    loop: asyncio.AbstractEventLoop
    send: Callable[[FromExecutor], None]
    now_ms: Callable[[], int]

    def next_request(self) -> int:
        """Return a fresh number of a request to the server."""
        ...


class RunningAction:
    """One action between its call and its result; implements `functions._host.ActionHost`."""

    def __init__(self, executor: ActionServer, call: Call) -> None:
        self.executor = executor
        self.call = call
        self.function: str
        self.request_id: str
        self.function, self.request_id = call.path, call.request_id
        self.client_address: str | None
        self.user_agent: str | None
        self.client_address, self.user_agent = call.client_address, call.user_agent
        self.spool: Path = Path(executor.settings.spool)
        self._random: random.Random | None = None
        self.log: logging.Logger = capture.app_logger
        self.cancelled: CancelCall | None = None
        self.ended = False
        self.task: asyncio.Task[Any] | None = None
        self.thread: int | None = None
        self.requests: dict[int, asyncio.Future[bytes]] = {}
        self.gone: asyncio.Event = asyncio.Event()
        """Set when the client of an HTTP action has gone away."""
        debugger = executor.settings.debugger
        self.debugged: debugging.DebuggedCall | None = (
            debugging.DebuggedCall(call, debugger, executor.send) if debugger else None
        )
        self.sink: capture.LogSink = capture.LogSink(
            executor.settings.knobs.log_bytes_per_call,
            lambda line: executor.send(Progress(call.id, [line])),
            function=call.path,
        )

    @property
    def random(self) -> random.Random:
        """A generator of this call, seeded by the operating system when first asked for."""
        if self._random is None:
            self._random = random.Random(secure_random.randbytes(SEED_BYTES))
        return self._random

    def now_ms(self) -> int:
        """Return the clock: time goes on in actions."""
        return self.executor.now_ms()

    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return nothing used: an action has no transaction."""
        budget = self.executor.settings.knobs.transaction
        return {name: (0, getattr(budget, name)) for name in budget.__struct_fields__}

    async def request(self, operation: str, payload: dict[str, Any]) -> Any:
        """Ask the server, from the event loop."""
        self._require_running(operation)
        if operation == "identity":
            return self._identity()
        return await self._ask(operation, payload)

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any:
        """Ask the server, from the thread of a plain `def` action."""
        self._require_running(operation)
        if operation == "identity":
            return self._identity()
        return asyncio.run_coroutine_threadsafe(self._ask(operation, payload), self.executor.loop).result()

    def _require_running(self, operation: str) -> None:
        if self.ended:
            raise CallEnded(self.call.path, operation)

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
