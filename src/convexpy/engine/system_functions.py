"""The server's own functions: run by the executors like any other, in the same order of commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Outcome, new_request_id, outcome_of
from convexpy.engine.queries import QueryDispatcher
from convexpy.errors import Error
from convexpy.protocol.frames import Call, Kind
from convexpy.runtime import Clock


class SystemFunctions:
    """Runs `_system/…` functions for the services."""

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

    async def run(self, path: str, args: bytes, *, first: bool = False) -> Outcome:
        """Run a system mutation; return its outcome. A `first` one passes those that wait.

        Raises:
            Error: it failed.
        """
        return _succeeded(await self.attempt(path, args, first=first))

    async def attempt(self, path: str, args: bytes, *, first: bool = False) -> Outcome:
        """Run a system mutation; return its outcome, which may be a failure."""
        call = self._call("system", path, args)
        try:
            return await outcome_of(lambda done: self._mutations.submit(call, done, first=first))
        except asyncio.CancelledError:
            self._mutations.forget(call.id)
            raise

    async def query(self, path: str, args: bytes) -> Outcome:
        """Run a system query; return its outcome.

        Raises:
            Error: it failed.
        """
        return _succeeded(await self.attempt_query(path, args))

    async def attempt_query(self, path: str, args: bytes) -> Outcome:
        """Run a system query; return its outcome, which may be a failure."""
        call = self._call("query", path, args)
        return await outcome_of(lambda done: self._queries.submit(call, lambda outcome, stale: done(outcome)))

    def _call(self, kind: Kind, path: str, args: bytes) -> Call:
        now_ms = self._clock.now_ns() // 1_000_000
        return Call(self._next_call(), kind, path, args, new_request_id(), now_ms)


def _succeeded(outcome: Outcome) -> Outcome:
    if outcome.failure is not None:
        raise Error(outcome.failure.detail.removeprefix("Uncaught "), code=outcome.failure.code)
    return outcome
