"""The version of the app that is live, and the executors that run it.

A dead executor is replaced by the version it belonged to. A new version takes over by `switch`: its executors are ready
before anything is held, new mutations wait only while those under way become durable.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from convexpy.engine.actions import ActionDispatcher
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.registry import FunctionRegistry
from convexpy.errors import Error, Unavailable
from convexpy.executors.connection import ExecutorConnection
from convexpy.executors.starter import VersionHandle
from convexpy.limits import EXECUTOR_MISSING_S_MAX, RESPAWN_S_MAX, RESPAWN_S_MIN, Knobs
from convexpy.protocol.fork_messages import Role
from convexpy.protocol.frames import CheckpointMoved, FromExecutor, Ready
from convexpy.runtime import Signal

Dispatcher = Literal["mutations", "slow mutations", "queries", "actions"]
ACTIVATE_TIMEOUT_S = 60.0
logger: logging.Logger = logging.getLogger("convexpy.versions")


async def spawn_ready(handle: VersionHandle, role: Role) -> ExecutorConnection:
    """Start an executor and wait until it says `Ready`.

    Raises:
        Unavailable: it ended before, or did not become ready in time; it is killed then.
    """
    connection = await handle.spawn(role)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def frame(message: FromExecutor) -> None:
        if isinstance(message, Ready) and not ready.done():
            ready.set_result(None)

    def lost(reason: str, call: int) -> None:
        if not ready.done():
            ready.set_exception(Unavailable(f"an executor ended while it started: {reason}"))

    connection.on_frame, connection.on_lost = frame, lost
    connection.begin()
    try:
        async with asyncio.timeout(handle.ready_s_max):
            await ready
    except TimeoutError:
        connection.kill("it was not ready in time")
        raise Unavailable(f"an executor was not ready within {handle.ready_s_max:g} s") from None
    except BaseException:
        connection.kill("it is not needed")
        raise
    return connection


class LiveVersion:
    """Keeps the dispatchers supplied with executors of one version at a time."""

    def __init__(
        self,
        *,
        knobs: Knobs,
        mutations: MutationPipeline,
        slow_mutations: QueryDispatcher,
        queries: QueryDispatcher,
        actions: ActionDispatcher,
        executor_needed: Signal[[Dispatcher]],
        checkpoint_seq: Callable[[], int],
    ) -> None:
        self._knobs = knobs
        self._handle: VersionHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._switching = asyncio.Lock()
        self._spawning: dict[Dispatcher, int] = dict.fromkeys(get_args(Dispatcher), 0)
        self._trouble: dict[Dispatcher, str] = {}
        self._missing_since: float | None = None
        self._checkpoint_seq = checkpoint_seq
        self.registry: FunctionRegistry = FunctionRegistry()
        self.mutations: MutationPipeline
        self.slow_mutations: QueryDispatcher
        self.mutations, self.slow_mutations = mutations, slow_mutations
        self.queries: QueryDispatcher
        self.actions: ActionDispatcher
        self.queries, self.actions = queries, actions
        executor_needed.connect(self.need)

    def need(self, what: Dispatcher) -> None:
        """Start an executor for a dispatcher that has lost one, or has none."""
        if self._handle is None or self._spawning[what]:
            return
        if what == "slow mutations" and not self.slow_mutations.lacks_executor:
            return  # started when it is needed, unlike the others
        if what == "mutations":
            # One for queries is ready and has every row: mutations wait for no process to start.
            connection = self.queries.lend()
            if connection is not None:
                self.mutations.attach(connection, follows=True)
                what = "queries"
                if self._spawning[what]:
                    return
        self._spawning[what] += 1
        task = asyncio.get_running_loop().create_task(self._supply(self._handle, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supply(self, handle: VersionHandle, what: Dispatcher) -> None:
        delay_s = RESPAWN_S_MIN
        try:
            while handle is self._handle:
                try:
                    connection = await spawn_ready(handle, "actions" if what == "actions" else "transactions")
                except (Error, OSError) as error:
                    self._trouble[what] = str(error)
                    logger.warning("could not start an executor for %s: %s", what, error)
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, RESPAWN_S_MAX)
                    continue
                self._trouble.pop(what, None)
                if handle is not self._handle:
                    connection.close()
                else:
                    self._attach(connection, what)
                break
        finally:
            self._spawning[what] -= 1
        if self._handle is not None and self._lacks(what):
            self.need(what)

    def _lacks(self, what: Dispatcher) -> bool:
        if what == "queries":
            return self.queries.executors < self._knobs.query_executors
        if what == "slow mutations":
            return self.slow_mutations.lacks_executor
        return not self.mutations.pids if what == "mutations" else self.actions.lacks_executor

    def missing(self) -> list[str]:
        """Return what calls wait for at present: `no executor for queries: …`, with why it could not be started."""
        found: list[str] = []
        lacking: dict[Dispatcher, bool] = {
            "mutations": not self.mutations.pids,
            "slow mutations": self.slow_mutations.lacks_executor,
            "queries": not self.queries.executors,
            "actions": self.actions.lacks_executor,
        }
        for what, lacks in lacking.items():
            if lacks:
                why = self._trouble.get(what, "it is being started")
                found.append(f"no executor for {what}: {why}")
        if not found:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = time.monotonic()
        return found

    @property
    def missing_for_long(self) -> bool:
        """Whether something has been missing for so long, by what `missing` saw, that a restart may help."""
        since = self._missing_since
        return since is not None and time.monotonic() - since > EXECUTOR_MISSING_S_MAX

    def _attach(self, connection: ExecutorConnection, what: Dispatcher) -> None:
        connection.send(CheckpointMoved(self._checkpoint_seq()))
        if what == "mutations":
            self.mutations.attach(connection)
        elif what == "queries":
            self.queries.attach(connection)
        elif what == "slow mutations":
            self.slow_mutations.attach(connection)
        else:
            self.actions.attach(connection)

    async def switch(self, handle: VersionHandle, activate: Callable[[], Awaitable[None]]) -> None:
        """Make `handle` live. `activate` runs its one transaction on the new mutation executor, before held calls."""
        async with self._switching:
            await self._switch(handle, activate)

    async def _spawn_all(self, handle: VersionHandle) -> list[ExecutorConnection]:
        """Start the executors of a version; all of them or none."""
        starting = [
            asyncio.ensure_future(spawn_ready(handle, "transactions"))
            for _ in range(1 + self._knobs.query_executors)
        ]
        try:
            return await asyncio.gather(*starting)
        except BaseException:
            for each in starting:
                each.cancel()
            for result in await asyncio.gather(*starting, return_exceptions=True):
                if not isinstance(result, BaseException):
                    result.close()
            raise

    async def _switch(self, handle: VersionHandle, activate: Callable[[], Awaitable[None]]) -> None:
        mutation, *query = await self._spawn_all(handle)
        idle = asyncio.Event()
        self.mutations.close_gate(idle.set)
        try:
            await idle.wait()
            old, self._handle = self._handle, None
            self.mutations.detach()
            self._attach(mutation, "mutations")
            try:
                async with asyncio.timeout(ACTIVATE_TIMEOUT_S):
                    await activate()
            except BaseException:
                # The old version goes on: its next mutation executor starts from the same rows.
                self.mutations.detach()
                self._handle = old
                self.need("mutations")
                for connection in query:
                    connection.close()
                raise
            self._handle = handle
            self.registry = FunctionRegistry(handle.description)
            self.queries.retire_all()
            self.slow_mutations.retire_all()
            self.actions.retire_all()
            for connection in query:
                self._attach(connection, "queries")
        finally:
            self.mutations.open_gate()
            self.need("slow mutations")
        if old is not None:
            await old.retire()

    async def close(self) -> None:
        """Stop replacing executors and let those that run end."""
        handle, self._handle = self._handle, None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.mutations.detach()
        self.queries.retire_all()
        self.slow_mutations.retire_all()
        self.actions.retire_all()
        if handle is not None:
            await handle.retire()
