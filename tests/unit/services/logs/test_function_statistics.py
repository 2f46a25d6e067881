"""Counts of functions: a day by the hour, bounded, and the same after a restart."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from convexpy.services.logs import FunctionStatistics, _statistics


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_forgotten_after_a_day() -> None:
    clock = Clock()
    statistics = FunctionStatistics(clock)
    for _ in range(30):
        statistics.count("Query", "a:b", 0.01, failed=False)
        clock.now += 3600
    assert statistics.calls("a:b") == 23
    clock.now += 22 * 3600
    assert statistics.calls("a:b") == 1
    clock.now += 3600
    assert statistics.calls("a:b") == 0
    assert statistics.described() == []


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1))
def test_what_is_described_fits_the_calls(calls: list[tuple[float, bool]]) -> None:
    statistics = FunctionStatistics(Clock())
    for seconds, failed in calls:
        statistics.count("Query", "a:b", seconds, failed=failed)
    (row,) = statistics.described(hourly=True)
    in_ms = sorted(seconds * 1000 for seconds, _ in calls)
    assert row.calls == sum(hour.calls for hour in row.hours) == len(calls)
    assert row.errors == sum(failed for _, failed in calls)
    assert row.longest_ms == pytest.approx(in_ms[-1], abs=0.001)
    assert 0 <= row.p50_ms <= row.p95_ms <= row.longest_ms
    # The class of a percentile is at most twice as wide as the duration itself.
    exact = in_ms[min(len(in_ms) - 1, int(len(in_ms) * 0.95))]
    assert row.p95_ms <= max(0.125, exact * 2 + 0.001)
    again = FunctionStatistics(Clock())
    again.load(statistics.dump())
    assert again.described(hourly=True) == statistics.described(hourly=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"format": 2, "functions": {}}',
        b'{"format":1,"functions":{"a":["Query",[[1,1,1,1,1,[]]]]}}',
    ],
)
def test_a_file_that_cannot_be_read_counts_as_none(data: bytes) -> None:
    statistics = FunctionStatistics(Clock())
    statistics.load(data)
    assert statistics.described() == []
    statistics.count("Query", "a:b", 0, failed=False)
    assert statistics.calls("a:b") == 1


def test_paths_that_strangers_make_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_statistics, "STATISTICS_FUNCTIONS_MAX", 10)
    clock = Clock()
    statistics = FunctionStatistics(clock)
    for number in range(50):
        statistics.count("Query", f"made:up{number}", 0, failed=True)
    assert len(statistics.described()) == 10
    clock.now += 25 * 3600
    statistics.count("Query", "real:one", 0, failed=False)
    assert [row.path for row in statistics.described()] == ["real:one"]


def test_the_share_of_errors() -> None:
    clock = Clock()
    statistics = FunctionStatistics(clock)
    assert statistics.error_rate() is None
    for number in range(8):
        statistics.count("Query", "a:b", 0, failed=number % 4 == 0)
    assert statistics.error_rate() == 0.25
    clock.now += 2 * 3600
    assert statistics.error_rate() is None
