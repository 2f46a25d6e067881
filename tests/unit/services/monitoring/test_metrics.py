"""Counting calls as they end, by kind."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from prometheus_client import CollectorRegistry

from convexpy.engine.call_log import Completion
from convexpy.services.logs import FunctionLog
from convexpy.services.monitoring.metrics import BUCKETS_S, KINDS, CallCounts


def call(kind: str = "Query", seconds: float = 0.002, error: str | None = None) -> Completion:
    return Completion(kind, "fn:f", "0" * 16, seconds, [], error, "HttpApi", "unknown")


class Counted:
    def __init__(self) -> None:
        self.log = FunctionLog()
        self._registry = CollectorRegistry()
        CallCounts(self.log, self._registry)

    def value(self, name: str, kind: str = "query", **labels: str) -> float | None:
        return self._registry.get_sample_value(f"convexpy_function_{name}", {"kind": kind, **labels})


def test_calls_and_failures_are_counted_by_kind() -> None:
    counted = Counted()
    for number in range(25):
        counted.log.completion(call(error="failed" if number % 5 == 0 else None))
    for _ in range(12):
        counted.log.completion(call("Mutation"))
    assert (counted.value("calls_total"), counted.value("errors_total")) == (25, 5)
    assert (counted.value("calls_total", "mutation"), counted.value("errors_total", "mutation")) == (12, 0)


@given(st.lists(st.one_of(st.floats(0, 1000), st.sampled_from(BUCKETS_S)), max_size=50))
def test_a_histogram_counts_each_duration_in_every_bucket_above_it(durations: list[float]) -> None:
    counted = Counted()
    for seconds in durations:
        counted.log.completion(call(seconds=seconds))
    for border in BUCKETS_S:
        in_bucket = counted.value("seconds_bucket", le=str(float(border)))
        assert in_bucket == sum(seconds <= border for seconds in durations)
    assert counted.value("seconds_count") == len(durations)
    assert counted.value("seconds_sum") == pytest.approx(sum(durations))


def test_what_is_no_end_of_a_call_is_not_counted() -> None:
    counted = Counted()
    counted.log.progress(kind="Action", path="fn:f", request_id="0" * 16, lines=[])
    counted.log.completion(call("Scheduler"))
    assert [counted.value("calls_total", kind) for kind in KINDS.values()] == [0, 0, 0, 0]
