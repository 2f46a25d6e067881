"""Calls by the minute."""

from __future__ import annotations

from convexpy.engine.call_log import Completion
from convexpy.limits import CALLS_MINUTES_MAX
from convexpy.services.logs._minutes import MINUTE_S, CallsByMinute


def call(ms: float, *, error: str | None = None, cached: bool = False) -> Completion:
    return Completion("Query", "notes:list", "r", ms / 1000, [], error, "Tester", "user", cached=cached)


def test_calls_are_counted_in_their_minute() -> None:
    now = [6000.0]
    counts = CallsByMinute(lambda: now[0])
    for number in range(99):
        counts.count(call(1.0, cached=number < 9))
    counts.count(call(900.0, error="ValueError: no"))
    now[0] += MINUTE_S
    counts.count(call(3.0))
    first, second = counts.described()
    assert (first.at, first.calls, first.errors, first.cached) == (6_000_000, 100, 1, 9)
    assert (first.p50_ms, first.p95_ms) == (2.0, 2.0)
    assert (second.at, second.calls, second.errors) == (6_060_000, 1, 0)
    assert second.p99_ms == 4.0


def test_the_slowest_calls_are_in_the_highest_percentile_only() -> None:
    counts = CallsByMinute(lambda: 0.0)
    for ms in [1.0] * 97 + [900.0] * 3:
        counts.count(call(ms))
    (minute,) = counts.described()
    assert (minute.p95_ms, minute.p99_ms) == (2.0, 1024.0)


def test_old_minutes_are_forgotten_and_empty_ones_take_no_room() -> None:
    now = [0.0]
    counts = CallsByMinute(lambda: now[0])
    counts.count(call(1.0))
    now[0] = 10 * MINUTE_S
    counts.count(call(1.0))
    assert [each.at for each in counts.described()] == [0, 600_000]
    now[0] = CALLS_MINUTES_MAX * MINUTE_S + 5 * MINUTE_S
    assert [each.at for each in counts.described()] == [600_000]
    for _ in range(2 * CALLS_MINUTES_MAX):
        now[0] += MINUTE_S
        counts.count(call(1.0))
    assert len(counts.described()) == CALLS_MINUTES_MAX
