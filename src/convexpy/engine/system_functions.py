"""The server's own functions: run by the executors like any other, in the same order of commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Outcome, new_request_id, outcome_of
from convexpy.engine.queries import QueryDispatcher
from convexpy.errors import Error
from convexpy.protocol.frames import Call, Kind
from convexpy.protocol.system import SystemCall
from convexpy.runtime import Clock

R = TypeVar("R")


class SystemFunctions:
    """Runs system calls for the services."""

    def __init__(
        self,
        *,
        mutations: MutationPipeline,
        queries: QueryDispatcher,
        next_call: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._mutations = mutations
        self._queries = queries
        self._next_call = next_call
        self._clock = clock

    async def run(self, call: SystemCall[R], *, first: bool = False) -> R:
        """Run a system call; return its result. A `first` mutation passes those that wait.

        Raises:
            Error: it failed.
        """
        result, _ = await self.run_at(call, first=first)
        return result

    async def run_at(self, call: SystemCall[R], *, first: bool = False) -> tuple[R, int]:
        """Run a system call; return its result and the log position at which it committed, or that it has read.

        Raises:
            Error: it failed.
        """
        outcome = await self.attempt(call, first=first)
        if outcome.failure is not None:
            raise Error(outcome.failure.detail.removeprefix("Uncaught "), code=outcome.failure.code)
        return call.decode_result(outcome.value), outcome.row

    async def attempt(self, call: SystemCall[Any], *, first: bool = False) -> Outcome:
        """Run a system call; return its outcome, which may be a failure."""
        now_ms = self._clock.now_ns() // 1_000_000
        kind: Kind = "query" if call.kind == "query" else "system"
        sent = Call(self._next_call(), kind, call.path, call.encode(), new_request_id(), now_ms)
        if call.kind == "query":
            return await outcome_of(
                lambda done: self._queries.submit(sent, lambda outcome, stale: done(outcome))
            )
        try:
            return await outcome_of(lambda done: self._mutations.submit(sent, done, first=first))
        except asyncio.CancelledError:
            self._mutations.forget(sent.id)
            raise
