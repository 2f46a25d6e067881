"""One in-memory deployment on an event loop of its own thread, driven from the test's thread."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from convexpy.deployment import Deployment, DeploymentSettings, MemoryStorage
from convexpy.errors import Error
from convexpy.functions import FunctionDefinition, MutationCtx
from convexpy.protocol.system import SystemMutation
from convexpy.protocol.system.scheduling import NextPending
from convexpy.runtime import ManualClock
from convexpy.sandbox import guards, system
from convexpy.sandbox.host import CallContext, TransactionCallHost
from convexpy.sandbox.loader import AppLoader, LoadedApp
from convexpy.services.pushes.requests import PushConfig, PushRequest
from convexpy.services.pushes.sources import PushedModule
from convexpy.testing._inline import InlineStarter

R = TypeVar("R")
DEADLINE_S = 60.0
CLOUD_URL = "http://convexpy.test"
SITE_URL = "http://site.convexpy.test"
STEPS_MAX = 1000
MOMENT_NS = 1_000
_numbers = itertools.count(1)
_loaded: dict[tuple[Path, bool], tuple[AppLoader, LoadedApp]] = {}
_callables: dict[int, Callable[[CallContext], None]] = {}


def load_app(folder: Path, *, camel: bool = False) -> tuple[AppLoader, LoadedApp]:
    """Import an app once per process; every deployment of it starts with empty data, not with fresh modules."""
    key = (folder.resolve(), camel)
    if key not in _loaded:
        guards.install()
        os.environ.setdefault("CONVEX_CLOUD_URL", CLOUD_URL)
        os.environ.setdefault("CONVEX_SITE_URL", SITE_URL)
        os.environ.setdefault("CONVEXPY_DEVELOPMENT", "1")
        loader = AppLoader(folder, label=folder.name, package=f"_convexpy_app_{next(_numbers)}")
        _loaded[key] = (loader, loader.load(camel=camel))
    return _loaded[key]


class RunCallable(SystemMutation[None]):
    """Call a function of this process in a transaction."""

    path: ClassVar[str] = "_testing:run"
    number: int


@system.handles(RunCallable)
def _run_callable(context: CallContext, call: RunCallable) -> None:
    _callables[call.number](context)


def _ns(ms: float) -> int:
    """Return milliseconds since the epoch as nanoseconds, never less: a float has not digits enough for both."""
    whole = int(ms)
    return whole * 1_000_000 + math.ceil((ms - whole) * 1e6)


class LocalDeployment:
    """A deployment in memory; every method may be called from the test's thread."""

    def __init__(self, folder: Path, *, camel: bool = False) -> None:
        self.loader, self.app = load_app(folder, camel=camel)
        self.clock = ManualClock()
        self._camel = camel
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="convexpy-testing", daemon=True)
        self._thread.start()
        self.fatal: BaseException | None = None
        self.deployment: Deployment = self.wait(self._start())

    async def _start(self) -> Deployment:
        storage = MemoryStorage(self.clock)
        settings = DeploymentSettings("testing", "00" * 32, CLOUD_URL, SITE_URL, secret_key=bytes(32))
        empty = LoadedApp(self.app.folder, self.app.marker)
        deployment = Deployment(
            storage,
            settings,
            on_fatal=self._fatal,
            starter=InlineStarter(self.app, empty, storage, self.clock),
            clock=self.clock,
        )
        await deployment.start()
        marker = b"loaded in this process"
        sha256 = deployment.sources.add(marker)
        modules = {f"{name}.py": PushedModule(sha256) for name in sorted(self.app.modules)}
        assert sha256 == hashlib.sha256(marker).hexdigest()
        case = "camel" if self._camel else "snake"
        await deployment.pusher.push(
            PushRequest(modules or {"empty.py": PushedModule(sha256)}, PushConfig(case))
        )
        return deployment

    def _fatal(self, error: BaseException) -> None:
        self.fatal = error

    def wait(self, work: Coroutine[Any, Any, R], timeout_s: float = DEADLINE_S) -> R:
        """Run a coroutine on the deployment's loop; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def advance(self, seconds: float) -> None:
        """Move the clock, stopping wherever a job or a cron job is due: what is due runs to its end."""
        self.wait(self._advance(self.clock.now_ns() + round(seconds * 1e9)))

    async def _advance(self, until_ns: int) -> None:
        scheduling = self.deployment.scheduling
        while True:
            self.clock.advance(0)
            await scheduling.settle()
            wake_ms = scheduling.agenda.wake_ms()
            now_ns = self.clock.now_ns()
            if wake_ms is None or _ns(wake_ms) > until_ns:
                break
            self.clock.advance(max(_ns(wake_ms) - now_ns, MOMENT_NS) / 1e9)
        self.clock.advance((until_ns - self.clock.now_ns()) / 1e9)
        await scheduling.settle()

    def finish_scheduled(self) -> None:
        """Run scheduled functions, and those that they schedule, until none is left; the clock goes with them."""
        self.wait(self._finish_scheduled())

    async def _finish_scheduled(self) -> None:
        for _ in range(STEPS_MAX):
            await self.deployment.scheduling.settle()
            next_ms = await self.deployment.system.run(NextPending())
            if next_ms is None:
                return
            await self._advance(max(_ns(next_ms), self.clock.now_ns()))
        raise Error(
            f"after {STEPS_MAX} steps there are still scheduled functions: do they schedule each other for ever?",
            hint="use advance() to run those of a span of time",
        )

    def call_soon(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the deployment's loop."""
        self._loop.call_soon_threadsafe(function, *args)

    def run(self, function: Callable[[Any], R]) -> R:
        """Call `function` with a MutationCtx, in one transaction; what it raises undoes it and is raised here."""
        results: list[R] = []
        errors: list[BaseException] = []

        def within(context: CallContext) -> None:
            definition = FunctionDefinition(
                kind="mutation", visibility="internal", handler=function, run=function
            )
            context.transaction.is_privileged = False
            try:
                results.append(function(MutationCtx(TransactionCallHost(context, definition))))
            except BaseException as error:
                errors.append(error)
                raise

        number = next(_numbers)
        _callables[number] = within
        try:
            self.wait(self.deployment.system.run(RunCallable(number)))
        except Exception:
            if errors:
                raise errors[0] from None
            raise
        finally:
            del _callables[number]
        return results[0]

    def close(self) -> None:
        """Stop the deployment and its loop."""
        try:
            self.wait(self.deployment.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
