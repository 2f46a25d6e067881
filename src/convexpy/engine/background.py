"""Work beside everything else: nobody waits for it, and the end of the deployment cancels it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

logger: logging.Logger = logging.getLogger("convexpy.deployment")


class BackgroundTasks:
    """The coroutines that run in the background. A failure is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[object]) -> None:
        """Run a coroutine in the background."""
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _logged(work: Awaitable[object]) -> None:
    try:
        await work
    except Exception:
        logger.exception("a background task failed")
