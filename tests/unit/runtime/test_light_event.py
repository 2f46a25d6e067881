"""An event for one who waits behaves as asyncio's does."""

from __future__ import annotations

import asyncio

import pytest

from convexpy.runtime.light_event import LightEvent


@pytest.mark.parametrize("make", [asyncio.Event, LightEvent])
def test_the_one_who_waits_goes_on_when_it_is_set(make: type[asyncio.Event]) -> None:
    async def inside() -> None:
        event = make()
        waiting = asyncio.create_task(event.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        assert not event.is_set()
        event.set()
        event.set()
        event.clear()
        assert await waiting is True
        assert not event.is_set()
        event.set()
        assert await event.wait() is True

    asyncio.run(inside())


@pytest.mark.parametrize("make", [asyncio.Event, LightEvent])
def test_who_gives_up_does_not_wait_any_more(make: type[asyncio.Event]) -> None:
    async def inside() -> None:
        event = make()
        waiting = asyncio.create_task(event.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        event.set()
        assert await event.wait() is True

    asyncio.run(inside())
