"""What each function did in the last day, by the hour: calls, errors, durations.

Counted at the end of every call, so it costs a look-up and a few additions; no call is kept. Durations go into classes
that double, which is as exact as a percentile needs to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from convexpy.limits import STATISTICS_BYTES_MAX, STATISTICS_FUNCTIONS_MAX
from convexpy.protocol.admin_api import FunctionReport, HourReport

HOURS = 24
HOUR_S = 3600
CLASSES = 24
SHORTEST_MS = 0.125


class HourlyCounts(msgspec.Struct, array_like=True):
    """One hour of one function. `durations` counts calls by class: below 0.125 ms, 0.25 ms and so on."""

    hour: int
    calls: int = 0
    errors: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0
    durations: list[int] = msgspec.field(default_factory=lambda: [0] * CLASSES)


class FunctionCounts(msgspec.Struct, array_like=True):
    """One function: its kind and its hours, the oldest first."""

    kind: str
    hours: list[HourlyCounts]


class FunctionStatistics:
    """Counts of the last 24 hours, by function."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._functions: dict[str, FunctionCounts] = {}
        self.revision: int = 0
        """Grows with every call, so that a keeper knows whether there is something new."""

    def count(self, kind: str, path: str, seconds: float, *, failed: bool) -> None:
        """Count the end of a call that took so many seconds."""
        hour = int(self._now_s()) // HOUR_S
        counts = self._functions.get(path)
        if counts is None:
            if len(self._functions) >= STATISTICS_FUNCTIONS_MAX:
                self._forget_old(hour)
                if len(self._functions) >= STATISTICS_FUNCTIONS_MAX:
                    return
            counts = self._functions[path] = FunctionCounts(kind, [])
        hours = counts.hours
        if not hours or hours[-1].hour != hour:
            counts.kind = kind
            hours.append(HourlyCounts(hour))
            del hours[: -HOURS - 1]
        now = hours[-1]
        ms = seconds * 1000
        now.calls += 1
        now.total_ms += ms
        if failed:
            now.errors += 1
        if ms > now.longest_ms:
            now.longest_ms = ms
        now.durations[duration_class(ms)] += 1
        self.revision += 1

    def _forget_old(self, hour: int) -> None:
        old = [path for path, counts in self._functions.items() if counts.hours[-1].hour <= hour - HOURS]
        for path in old:
            del self._functions[path]

    def calls(self, path: str) -> int:
        """Return the calls of a function in the last 24 hours."""
        first = int(self._now_s()) // HOUR_S - HOURS
        counts = self._functions.get(path)
        return 0 if counts is None else sum(each.calls for each in counts.hours if each.hour > first)

    def error_rate(self, hours: int = 1) -> float | None:
        """Return the share of calls that failed in this hour and so many before it; None without a call."""
        first = int(self._now_s()) // HOUR_S - hours
        found = [each for counts in self._functions.values() for each in counts.hours if each.hour >= first]
        calls = sum(each.calls for each in found)
        return sum(each.errors for each in found) / calls if calls else None

    def described(self, *, hourly: bool = False) -> list[FunctionReport]:
        """Return the counts of every function called in 24 hours; with `hourly` those of each hour, too."""
        first = int(self._now_s()) // HOUR_S - HOURS
        found: list[FunctionReport] = []
        for path in sorted(self._functions):
            counts = self._functions[path]
            recent = [each for each in counts.hours if each.hour > first]
            if recent:
                found.append(_report(path, counts.kind, recent, hourly=hourly))
        return found

    # Across restarts

    def dump(self) -> bytes:
        """Return everything that is younger than a day, for `load`; of more than `STATISTICS_BYTES_MAX` the newest."""
        self._forget_old(int(self._now_s()) // HOUR_S)
        functions = self._functions
        while len(data := msgspec.json.encode({"format": 1, "functions": functions})) > STATISTICS_BYTES_MAX:
            newest_first = sorted(functions, key=lambda path: functions[path].hours[-1].hour, reverse=True)
            functions = {path: functions[path] for path in newest_first[: len(functions) // 2]}
        return data

    def load(self, data: bytes) -> None:
        """Take what `dump` gave; what cannot be read counts as nothing, for these are only counts."""
        if len(data) > STATISTICS_BYTES_MAX:
            return
        try:
            found = msgspec.json.decode(data, type=_Stored)
        except msgspec.MsgspecError:
            return
        good = all(len(each.durations) == CLASSES for of in found.functions.values() for each in of.hours)
        if found.format == 1 and good:
            self._functions = {path: counts for path, counts in found.functions.items() if counts.hours}


class _Stored(msgspec.Struct):
    format: int
    functions: dict[str, FunctionCounts]


def _report(path: str, kind: str, hours: list[HourlyCounts], *, hourly: bool) -> FunctionReport:
    calls = sum(each.calls for each in hours)
    durations = [sum(each.durations[number] for each in hours) for number in range(CLASSES)]
    longest = max(each.longest_ms for each in hours)
    return FunctionReport(
        path=path,
        kind=kind,
        calls=calls,
        errors=sum(each.errors for each in hours),
        average_ms=round(sum(each.total_ms for each in hours) / calls, 3),
        p50_ms=round(min(percentile(durations, calls, 0.50), longest), 3),
        p95_ms=round(min(percentile(durations, calls, 0.95), longest), 3),
        longest_ms=round(longest, 3),
        hours=tuple(map(_hour, hours)) if hourly else msgspec.UNSET,
    )


def duration_class(ms: float) -> int:
    """Return the class of a duration."""
    return min(int(ms / SHORTEST_MS).bit_length(), CLASSES - 1)


def percentile(durations: list[int], calls: int, share: float) -> float:
    """Return the upper border of the class in which the percentile is."""
    wanted, seen = calls * share, 0
    for number, count in enumerate(durations):
        seen += count
        if seen >= wanted:
            return float(SHORTEST_MS * (1 << number))
    return float("inf")


def _hour(each: HourlyCounts) -> HourReport:
    average_ms = round(each.total_ms / each.calls, 3)
    return HourReport(
        at=each.hour * HOUR_S * 1000, calls=each.calls, errors=each.errors, average_ms=average_ms
    )
