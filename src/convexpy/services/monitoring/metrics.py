"""Metrics in the text format of Prometheus.

Calls are counted as they end; the rest is read off the running deployment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from convexpy._version import __version__
from convexpy.engine.call_log import Completion
from convexpy.engine.timeline import LogTimeline
from convexpy.engine.versions import LiveVersion
from convexpy.runtime import Clock
from convexpy.services.logs import FunctionLog
from convexpy.services.monitoring.executors import executors_of
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.scheduling.agenda import Agenda
from convexpy.sync import Hub

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0,
)  # fmt: skip
KINDS = {"Query": "query", "Mutation": "mutation", "Action": "action", "HttpAction": "http_action"}


@dataclass(slots=True)
class _Counts:
    """The calls of one kind; `durations` counts those up to each bucket's border and above the one before."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    durations: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))


class CallCounts(Collector):
    """Counts calls by kind as they end, from construction on: a few additions for each, made into metrics when asked for."""

    def __init__(self, log: FunctionLog, registry: CollectorRegistry) -> None:
        self._kinds = {kind: _Counts() for kind in KINDS}
        log.on_completion = self._count
        registry.register(self)

    def _count(self, completion: Completion) -> None:
        counts = self._kinds.get(completion.kind)
        if counts is not None:
            counts.calls += 1
            counts.errors += completion.error is not None
            counts.seconds += completion.seconds
            counts.durations[bisect_left(BUCKETS_S, completion.seconds)] += 1

    def describe(self) -> Iterable[Any]:
        """Return nothing ahead (asked by the registry)."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield the families (called by the registry)."""
        calls = CounterMetricFamily("convexpy_function_calls", "Calls that ended", labels=["kind"])
        errors = CounterMetricFamily("convexpy_function_errors", "Calls that failed", labels=["kind"])
        seconds = HistogramMetricFamily("convexpy_function_seconds", "How long calls took", labels=["kind"])
        borders = [*map(str, BUCKETS_S), "+Inf"]
        for kind, counts in self._kinds.items():
            name = [KINDS[kind]]
            calls.add_metric(name, counts.calls)
            errors.add_metric(name, counts.errors)
            reached = zip(borders, accumulate(counts.durations), strict=True)
            seconds.add_metric(name, buckets=list(reached), sum_value=counts.seconds)
        yield from (calls, errors, seconds)


@dataclass(kw_only=True, eq=False)
class Metrics(Collector):
    """The metrics of one deployment; counting begins with construction. `clients` returns the number of open sockets."""

    log: FunctionLog
    timeline: LogTimeline
    live: LiveVersion
    app: ActiveApp
    hub: Hub
    agenda: Agenda
    clock: Clock
    clients: Callable[[], int]
    deployment: str

    def __post_init__(self) -> None:
        self._registry = CollectorRegistry()
        CallCounts(self.log, self._registry)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Any]:
        """Return nothing ahead (asked by the registry)."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield all families (called by the registry)."""
        info = InfoMetricFamily("convexpy", "The server and the deployment")
        info.add_metric([], {"version": __version__, "deployment": self.deployment})
        yield info
        yield from self._clients()
        yield from self._storage()
        yield from self._scheduler()
        yield from self._executors()

    def _clients(self) -> Iterator[Any]:
        yield _gauge("convexpy_open_sockets", "Clients that are connected", self.clients())
        yield _gauge(
            "convexpy_subscribed_queries", "Distinct queries with subscribers", self.hub.subscriptions
        )

    def _storage(self) -> Iterator[Any]:
        timeline = self.timeline
        commits = CounterMetricFamily(
            "convexpy_commits", "Groups of mutations that became durable, since ever"
        )
        commits.add_metric([], timeline.row)
        yield commits
        rows, size = len(timeline.tail), timeline.tail_bytes
        yield _gauge("convexpy_checkpoint_waiting_rows", "Log rows that no checkpoint covers yet", rows)
        yield _gauge("convexpy_checkpoint_waiting_bytes", "Their size", size)
        version = self.app.active.version
        yield _gauge("convexpy_active_version", "The number of the version of the app that is live", version)

    def _scheduler(self) -> Iterator[Any]:
        agenda = self.agenda
        now_ms = self.clock.now_ns() / 1e6
        yield _gauge("convexpy_scheduled_running", "Scheduled jobs that run now", agenda.running)
        yield _gauge("convexpy_scheduled_waiting", "Due jobs, fetched ahead, that wait", agenda.waiting)
        yield _gauge(
            "convexpy_scheduled_late_seconds", "How late the first due job is", agenda.late_ms(now_ms) / 1000
        )

    def _executors(self) -> Iterator[Any]:
        lost = CounterMetricFamily("convexpy_executors_lost", "Executors that died", labels=["role"])
        count = GaugeMetricFamily("convexpy_executors", "Executors that run", labels=["role"])
        memory = GaugeMetricFamily("convexpy_executor_memory_bytes", "Their resident memory", labels=["role"])
        for each in executors_of(self.live):
            lost.add_metric([each.role], each.lost)
            count.add_metric([each.role], each.running)
            memory.add_metric([each.role], each.memory_bytes)
        yield from (lost, count, memory)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family
