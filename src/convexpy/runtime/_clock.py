"""Clocks. Wall time is for display and for documents; durations are measured on the monotonic clock."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """Return wall-clock nanoseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def wake_at(self, when_ns: int, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` once at a wall-clock time, soon if that has passed; return what takes it back.

        To be called on the running event loop. If the clock is set meanwhile, `wake` may come early.
        """
        ...


LOOK_AT_CLOCK_S = 5.0
CLOCK_STEP_NS = 1_000_000_000


class SystemClock:
    """The clock of the machine."""

    def now_ns(self) -> int:
        """Return wall-clock nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def wake_at(self, when_ns: int, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` once at a wall-clock time, soon if that has passed; return what takes it back.

        It is called at once, too, when the wall clock is set meanwhile: then the time may have to be another.
        """
        import asyncio  # here, since the command line does without it

        loop = asyncio.get_running_loop()
        offset_ns = _offset_ns()

        def wait() -> asyncio.TimerHandle:
            delay_s = max(0.0, (when_ns - self.now_ns()) / 1e9)
            return loop.call_later(min(delay_s, LOOK_AT_CLOCK_S), look)

        def look() -> None:
            if self.now_ns() >= when_ns or abs(_offset_ns() - offset_ns) > CLOCK_STEP_NS:
                wake()
            else:
                handles[0] = wait()

        handles = [wait()]
        return lambda: handles[0].cancel()  # noqa: PLW0108 - the one that waits then, not the first


def _offset_ns() -> int:
    """Return by how much the wall clock is ahead of the monotonic one: it changes when somebody sets the wall clock."""
    return time.time_ns() - time.monotonic_ns()


class ManualClock:
    """A clock that only moves when told to; it starts at the machine's time unless another start is given."""

    def __init__(self, start_ns: int | None = None) -> None:
        self._now_ns = time.time_ns() if start_ns is None else start_ns
        self._monotonic = 0.0
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now_ns(self) -> int:
        """Return the set time in nanoseconds since the epoch."""
        return self._now_ns

    def monotonic(self) -> float:
        """Return the seconds by which the clock was advanced."""
        return self._monotonic

    def wake_at(self, when_ns: int, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` in the `advance` that reaches a time, the next one if that has passed; return what takes it back."""
        alarm = (when_ns, next(self._numbers), wake)
        heapq.heappush(self._alarms, alarm)

        def cancel() -> None:
            if alarm in self._alarms:
                self._alarms.remove(alarm)
                heapq.heapify(self._alarms)

        return cancel

    def advance(self, seconds: float) -> None:
        """Move both clocks forward, then call what was to be woken by then."""
        self._now_ns += round(seconds * 1e9)
        self._monotonic += seconds
        due: list[Callable[[], None]] = []
        while self._alarms and self._alarms[0][0] <= self._now_ns:
            due.append(heapq.heappop(self._alarms)[2])
        for wake in due:
            wake()
