"""Alarms of the machine's clock: at their time, and at once when the clock is set."""

from __future__ import annotations

import asyncio
import time

import pytest

from convexpy.runtime import SystemClock, _clock

DAY_NS = 86_400_000_000_000


@pytest.mark.parametrize("step_ns", [DAY_NS, -DAY_NS])
def test_a_clock_that_is_set_wakes_at_once(monkeypatch: pytest.MonkeyPatch, step_ns: int) -> None:
    monkeypatch.setattr(_clock, "LOOK_AT_CLOCK_S", 0.01)
    real = time.time_ns

    async def scenario() -> None:
        woken = asyncio.Event()
        SystemClock().wake_at(real() + 10 * DAY_NS, woken.set)
        await asyncio.sleep(0.1)
        assert not woken.is_set()
        monkeypatch.setattr(time, "time_ns", lambda: real() + step_ns)
        await asyncio.wait_for(woken.wait(), 30)

    asyncio.run(scenario())


def test_an_alarm_comes_at_its_time_and_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clock, "LOOK_AT_CLOCK_S", 0.01)
    clock = SystemClock()

    async def scenario() -> None:
        woken, other = asyncio.Event(), asyncio.Event()
        cancel = clock.wake_at(clock.now_ns() + 50_000_000, other.set)
        when = clock.now_ns() + 100_000_000
        clock.wake_at(when, woken.set)
        await asyncio.sleep(0.02)
        cancel()
        await asyncio.wait_for(woken.wait(), 30)
        assert clock.now_ns() >= when
        assert not other.is_set()

    asyncio.run(scenario())
