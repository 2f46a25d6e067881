"""A pipe that says whether the process that started this one is still there."""

from __future__ import annotations

import asyncio
import contextlib
import os


async def watch(descriptor: int, stop: asyncio.Event) -> None:
    """Stop when the process at the other end of the watchdog pipe is gone."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    os.set_blocking(descriptor, False)

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(descriptor, 4096):
                loop.remove_reader(descriptor)
                ended.set()

    loop.add_reader(descriptor, readable)
    await ended.wait()
    stop.set()
