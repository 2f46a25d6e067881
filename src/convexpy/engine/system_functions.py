"""The server's own mutations: run by the executor like any other, in the same order of commits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from convexpy.engine.outcome import Outcome, new_request_id
from convexpy.errors import Error
from convexpy.protocol.frames import Call

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment


class SystemFunctions:
    """Runs `_system/…` functions that write. `first` ones pass those that wait."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def run(self, path: str, args: bytes, *, first: bool = False) -> Outcome:
        """Run a system mutation; return its outcome.

        Raises:
            Error: it failed.
        """
        outcome = await self.attempt(path, args, first=first)
        if outcome.failure is not None:
            raise Error(outcome.failure.detail.removeprefix("Uncaught "), code=outcome.failure.code)
        return outcome

    async def attempt(self, path: str, args: bytes, *, first: bool = False) -> Outcome:
        """Run a system mutation; return how it ended."""
        deployment = self._deployment
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        now_ms = deployment.clock.now_ns() // 1_000_000
        call = Call(deployment.functions.next_call(), "system", path, args, new_request_id(), now_ms)
        deployment.live.mutations.submit(call, settle, first=first)
        try:
            return await future
        except asyncio.CancelledError:
            deployment.live.mutations.forget(call.id)
            raise
