"""The version of the app that is live, and the executors that run it.

A dead executor is replaced by the version it belonged to. A new version takes over by `switch`: its executors are ready
before anything is held, new mutations wait only while those under way become durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from convexpy.deployment.actions import ActionDispatcher
from convexpy.deployment.mutations import MutationPipeline
from convexpy.deployment.queries import QueryDispatcher
from convexpy.deployment.registry import FunctionRegistry
from convexpy.errors import Unavailable
from convexpy.execution.connection import ExecutorConnection, Role
from convexpy.execution.starter import VersionHandle
from convexpy.limits import Knobs
from convexpy.protocol.frames import CheckpointMoved, FromExecutor, Ready

READY_TIMEOUT_S = 60.0
RESPAWN_DELAY_S = 0.5
ACTIVATE_TIMEOUT_S = 60.0
logger = logging.getLogger("convexpy.versions")


async def spawn_ready(handle: VersionHandle, role: Role) -> ExecutorConnection:
    """Start an executor and wait until it says `Ready`.

    Raises:
        Unavailable: it ended before.
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
    async with asyncio.timeout(READY_TIMEOUT_S):
        await ready
    return connection


class LiveVersion:
    """Keeps the dispatchers supplied with executors of one version at a time."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._handle: VersionHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._switching = asyncio.Lock()
        self._spawning: dict[str, int] = {"mutations": 0, "queries": 0, "actions": 0}
        self.registry = FunctionRegistry()
        self.mutations: MutationPipeline
        self.queries: QueryDispatcher
        self.actions: ActionDispatcher
        self.checkpoint_seq: Callable[[], int]

    def connect(
        self,
        mutations: MutationPipeline,
        queries: QueryDispatcher,
        actions: ActionDispatcher,
        checkpoint_seq: Callable[[], int],
    ) -> None:
        """Join the dispatchers, which ask for executors through `need`."""
        self.mutations, self.queries, self.actions = mutations, queries, actions
        self.checkpoint_seq = checkpoint_seq

    def need(self, what: str) -> None:
        """Start an executor for a dispatcher that has lost one, or has none."""
        if self._handle is None or self._spawning[what]:
            return
        self._spawning[what] += 1
        task = asyncio.get_running_loop().create_task(self._supply(self._handle, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supply(self, handle: VersionHandle, what: str) -> None:
        try:
            while handle is self._handle:
                try:
                    connection = await spawn_ready(handle, "actions" if what == "actions" else "transactions")
                except (Unavailable, TimeoutError) as error:
                    logger.warning("could not start an executor: %s", error)
                    await asyncio.sleep(RESPAWN_DELAY_S)
                    continue
                if handle is not self._handle:
                    connection.close()
                else:
                    self._attach(connection, what)
                return
        finally:
            self._spawning[what] -= 1
        if self._handle is not None:
            self.need(what)

    def _attach(self, connection: ExecutorConnection, what: str) -> None:
        connection.send(CheckpointMoved(self.checkpoint_seq()))
        if what == "mutations":
            self.mutations.attach(connection)
        elif what == "queries":
            self.queries.attach(connection)
        else:
            self.actions.attach(connection)

    async def switch(self, handle: VersionHandle, activate: Callable[[], Awaitable[None]]) -> None:
        """Make `handle` live. `activate` runs its one transaction on the new mutation executor, before held calls."""
        async with self._switching:
            await self._switch(handle, activate)

    async def _spawn_all(self, handle: VersionHandle) -> list[ExecutorConnection]:
        """Start the executors of a version; all of them or none."""
        started: list[ExecutorConnection] = []
        try:
            for _ in range(1 + self._knobs.query_executors):
                started.append(await spawn_ready(handle, "transactions"))  # noqa: PERF401 - what started must be known
        except BaseException:
            for connection in started:
                connection.close()
            raise
        return started

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
            self.actions.retire_all()
            for connection in query:
                self._attach(connection, "queries")
        finally:
            self.mutations.open_gate()
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
        self.actions.retire_all()
        if handle is not None:
            await handle.retire()
