"""Counting calls from the function log: none twice, none missed, however rarely somebody asks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from convexpy.engine.call_log import Completion
from convexpy.services.logs import FunctionLog
from convexpy.services.monitoring.metrics import BUCKETS_S, CallTally


def call(kind: str = "Query", seconds: float = 0.002, error: str | None = None) -> Completion:
    return Completion(kind, "fn:f", "0" * 16, seconds, [], error, "HttpApi", "unknown")


def test_calls_that_leave_the_log_uncounted_are_counted_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexpy.services.logs._ring.LOG_ENTRIES_MAX", 10)
    log = FunctionLog()
    tally = CallTally(log)
    for number in range(25):
        log.completion(call(error="failed" if number % 5 == 0 else None))
    tally.catch_up()
    tally.catch_up()
    assert (tally.kinds["query"].calls, tally.kinds["query"].errors) == (25, 5)
    for _ in range(12):
        log.completion(call("Mutation"))
    tally.catch_up()
    assert (tally.kinds["query"].calls, tally.kinds["mutation"].calls) == (25, 12)


@given(st.lists(st.one_of(st.floats(0, 1000), st.sampled_from(BUCKETS_S)), max_size=50))
def test_a_histogram_counts_each_duration_in_every_bucket_above_it(durations: list[float]) -> None:
    log = FunctionLog()
    tally = CallTally(log)
    for seconds in durations:
        log.completion(call(seconds=seconds))
    tally.catch_up()
    counted = dict(tally.kinds["query"].cumulative())
    for border in BUCKETS_S:
        assert counted[f"{border:g}"] == sum(seconds <= border for seconds in durations)
    assert counted["+Inf"] == len(durations)
    assert tally.kinds["query"].seconds == pytest.approx(sum(durations))


def test_what_is_no_end_of_a_call_is_not_counted() -> None:
    log = FunctionLog()
    tally = CallTally(log)
    log.progress(kind="Action", path="fn:f", request_id="0" * 16, lines=[])
    log.completion(call("Scheduler"))
    tally.catch_up()
    assert sum(kind.calls for kind in tally.kinds.values()) == 0
