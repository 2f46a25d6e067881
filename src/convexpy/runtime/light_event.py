"""Waiting for something, by one coroutine of one event loop."""

from __future__ import annotations

import asyncio
from typing import Literal


class LightEvent(asyncio.Event):
    """An `asyncio.Event` for one who waits. There are several for each socket, and asyncio's has 800 bytes for its waiters."""

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Return whether nobody would have to wait."""
        return self._is_set

    def set(self) -> None:
        """Let the one who waits go on, and whoever comes later."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Have whoever comes wait."""
        self._is_set = False

    async def wait(self) -> Literal[True]:
        """Return as soon as it is set."""
        if not self._is_set:
            assert self._waiter is None, "one may wait"
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True
