"""All calls of the last hours by the minute: how many, how many failed or came from the cache, how long they took.

Kept in memory only, for charts; counts that outlive a restart are by function and hour (`_statistics.py`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from convexpy.engine.call_log import Completion
from convexpy.limits import CALLS_MINUTES_MAX
from convexpy.protocol.admin_api import MinuteReport
from convexpy.services.logs._statistics import CLASSES, duration_class, percentile

MINUTE_S = 60


@dataclass(slots=True)
class _Minute:
    minute: int
    calls: int = 0
    errors: int = 0
    cached: int = 0
    durations: list[int] = field(default_factory=lambda: [0] * CLASSES)


class CallsByMinute:
    """Counts of the last three hours. A minute without a call takes no room."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._minutes: deque[_Minute] = deque(maxlen=CALLS_MINUTES_MAX)

    def count(self, completion: Completion) -> None:
        """Count the end of a call."""
        minute = int(self._now_s()) // MINUTE_S
        if not self._minutes or self._minutes[-1].minute != minute:
            self._minutes.append(_Minute(minute))
        now = self._minutes[-1]
        now.calls += 1
        now.errors += completion.error is not None
        now.cached += completion.cached
        now.durations[duration_class(completion.seconds * 1000)] += 1

    def described(self) -> tuple[MinuteReport, ...]:
        """Return the minutes that had calls, the oldest first."""
        first = int(self._now_s()) // MINUTE_S - CALLS_MINUTES_MAX
        return tuple(_report(each) for each in self._minutes if each.minute > first)


def _report(each: _Minute) -> MinuteReport:
    p50, p95, p99 = (percentile(each.durations, each.calls, share) for share in (0.50, 0.95, 0.99))
    return MinuteReport(
        at=each.minute * MINUTE_S * 1000,
        calls=each.calls,
        errors=each.errors,
        cached=each.cached,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )
