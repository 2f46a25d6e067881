"""Executors without processes: the same frames, handed over by direct calls on one event loop.

Limits that need a kill are not enforced here; those that count are.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from convexpy.database import Store
from convexpy.deployment import MemoryStorage
from convexpy.executors.connection import ExecutorConnection
from convexpy.limits import START_S_MAX
from convexpy.protocol.call_marker import Running
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import Role
from convexpy.protocol.frames import FromExecutor, Ready, ToExecutor
from convexpy.runtime import Clock
from convexpy.sandbox.action_executor import ActionExecutor
from convexpy.sandbox.analyze import describe_app
from convexpy.sandbox.executor import Executor
from convexpy.sandbox.loader import LoadedApp

_decode = msgspec.msgpack.Decoder(ToExecutor).decode


class InlineExecutor:
    """An executor on this event loop."""

    pid = 0

    def __init__(self, make: Callable[[Callable[[FromExecutor], None]], Any]) -> None:
        self.on_frame: Callable[[FromExecutor], None] = lambda frame: None
        self.on_lost: Callable[[str, int], None] = lambda reason, call: None
        self._loop = asyncio.get_running_loop()
        self._frames: deque[ToExecutor] = deque()
        self._scheduled = False
        self._closed = False
        self._executor = make(self._reply)

    def begin(self) -> None:
        """Say `Ready` in the next turn of the loop."""
        self._loop.call_soon(self.on_frame, Ready(0))

    def send(self, frame: ToExecutor) -> None:
        """Queue a frame."""
        self._frames.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def send_later(self, data: bytes) -> None:
        """Queue a frame that is encoded already, like any other: there is no process to wake up."""
        self.send(_decode(data[4:]))

    def _drain(self) -> None:
        self._scheduled = False
        while self._frames and not self._closed:
            self._executor.handle(self._frames.popleft())

    def _reply(self, frame: FromExecutor) -> None:
        if not self._closed:
            self._loop.call_soon(self._deliver, frame)

    def _deliver(self, frame: FromExecutor) -> None:
        if not self._closed:
            self.on_frame(frame)

    def running(self) -> Running | None:
        """Return None: calls end before anybody can look."""
        return None

    def cpu_ns(self) -> int:
        """Return nothing used."""
        return 0

    def processor_wait(self) -> None:
        """Return nothing known."""

    def last_beat(self) -> int:
        """Return a new moment each time: the loop turns, for it runs this."""
        return time.monotonic_ns()

    def revoke(self, call: int) -> None:
        """Revoke nothing: calls begin at once."""

    def ask_where(self) -> None:
        """Ask nobody."""

    def stands_at(self) -> str:
        """Return nothing known."""
        return ""

    def interrupt(self) -> None:
        """Interrupt nothing."""

    def kill(self, reason: str, call: int = 0) -> None:
        """Close and report; what runs cannot be stopped."""
        self._closed = True
        self._loop.call_soon(self.on_lost, reason, call)

    def close(self) -> None:
        """Take no more frames."""
        self._closed = True


class InlineVersion:
    """An app that is loaded in this process."""

    def __init__(
        self, app: LoadedApp, storage: MemoryStorage, settings: ExecutorSettings, clock: Clock
    ) -> None:
        self._app = app
        self._storage = storage
        self._settings = settings
        self._clock = clock
        self.description = describe_app(app)
        self.ready_s_max = START_S_MAX

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Make an executor over the app."""

        def transactions(send: Callable[[FromExecutor], None]) -> Executor:
            key = self._settings.cursor_key
            store = Store(self._storage.reader(), clock=self._clock, cursor_key=key)
            return Executor(self._app, store, self._settings, send)

        def actions(send: Callable[[FromExecutor], None]) -> ActionExecutor:
            now_ms: Callable[[], int] = lambda: self._clock.now_ns() // 1_000_000  # noqa: E731
            return ActionExecutor(self._app, self._settings, send, now_ms)

        return InlineExecutor(actions if role == "actions" else transactions)

    async def warm(self) -> None:
        """Import nothing: the app is loaded."""

    async def retire(self) -> None:
        """Nothing to end."""


class InlineStarter:
    """Starts executors over apps that are loaded already: `app` from the first push on, an empty one before."""

    def __init__(self, app: LoadedApp, empty: LoadedApp, storage: MemoryStorage, clock: Clock) -> None:
        self._app = app
        self._empty = empty
        self._storage = storage
        self._clock = clock

    async def start_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> InlineVersion:
        """Return the app as a version."""
        app = self._app if settings.version else self._empty
        return InlineVersion(app, self._storage, settings, self._clock)

    @property
    def folders(self) -> frozenset[str]:
        """None: the app is loaded."""
        return frozenset()

    async def close(self) -> None:
        """Nothing to end."""
