"""What changes while a page is open: queries that are watched, and what is asked for again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from nicegui import background_tasks, context

from convexpy.client import Unreachable
from convexpy.errors import Error

T = TypeVar("T")
RETRY_S = 1.0
REFUSED_S = 5.0
"""What the deployment has refused, it will probably refuse again."""


class Following(Generic[T]):
    """Shows what a source gives until the page is gone; begins again when it has ended or failed."""

    def __init__(
        self,
        source: Callable[[], AsyncGenerator[T, None]],
        show: Callable[[T], object],
        failed: Callable[[Error], object] = lambda error: None,
    ) -> None:
        self._source, self._show, self._failed = source, show, failed
        self._client = context.client
        self._task: asyncio.Task[None] | None = None
        self._client.on_delete(self.stop)
        self.restart()

    def restart(self) -> None:
        """Begin again now, for instance since the source would give something else."""
        self.stop()
        self._task = background_tasks.create(self._run(), name="following")

    def stop(self) -> None:
        """Show nothing more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                async with aclosing(self._source()) as values:
                    async for value in values:
                        with self._client:
                            self._show(value)
            except Error as error:
                with self._client:
                    self._failed(error)
                if not isinstance(error, Unreachable):
                    await asyncio.sleep(REFUSED_S)
            await asyncio.sleep(RETRY_S)


async def every(seconds: float, read: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
    """Yield what `read` returns, again and again."""
    while True:
        yield await read()
        await asyncio.sleep(seconds)
