"""When cron jobs run next, all kinds; late runs; the minute of jobs that do not care."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy import cron_jobs, to_ms
from convexpy.errors import ProjectError
from convexpy.functions import next_run_ms, runs_skipped, spread_minute


def at(text: str) -> float:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ({"type": "interval", "seconds": 90}, "2026-01-01T00:00:00", "2026-01-01T00:01:30"),
        ({"type": "hourly", "minuteUTC": 5}, "2026-01-01T00:05:00", "2026-01-01T01:05:00"),
        ({"type": "hourly", "minuteUTC": 5}, "2026-01-01T00:04:59.999", "2026-01-01T00:05:00"),
        ({"type": "daily", "hourUTC": 0, "minuteUTC": 0}, "2025-12-31T23:59:00", "2026-01-01T00:00:00"),
        (
            {"type": "weekly", "dayOfWeek": "sunday", "hourUTC": 3, "minuteUTC": 0},
            "2026-11-23T00:00:00",
            "2026-11-29T03:00:00",
        ),
        (
            {"type": "weekly", "dayOfWeek": "monday", "hourUTC": 3, "minuteUTC": 0},
            "2026-11-23T00:00:00",
            "2026-11-23T03:00:00",
        ),
        (
            {"type": "monthly", "day": 31, "hourUTC": 4, "minuteUTC": 30},
            "2026-01-31T04:30:00",
            "2026-03-31T04:30:00",
        ),
        (
            {"type": "cron", "cronExpr": "*/15 8-17 * jan mon-fri"},
            "2026-01-02T17:50:00",
            "2026-01-05T08:00:00",
        ),
        ({"type": "cron", "cronExpr": "0 0 29 2 *"}, "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ({"type": "cron", "cronExpr": "0 0 * * 7"}, "2026-11-23T00:00:00", "2026-11-29T00:00:00"),
    ],
)
def test_next_run(schedule: dict[str, Any], after: str, expected: str) -> None:
    assert next_run_ms(schedule, at(after)) == at(expected)


def test_an_interval_begins_at_once() -> None:
    assert next_run_ms({"type": "interval", "seconds": 90}, 5000, first=True) == 5000


@given(st.integers(1, 100_000), st.integers(0, 10**12), st.integers(0, 10**9))
def test_late_runs_of_an_interval_are_counted_and_the_rhythm_stays(
    step: int, planned: int, late: int
) -> None:
    now = planned + late
    skipped, following = runs_skipped({"type": "interval", "seconds": step}, planned, now)
    assert following >= now
    assert following - step * 1000 < now or skipped == 0
    assert (following - planned) == (skipped + 1) * step * 1000


def test_late_runs_of_a_calendar() -> None:
    hourly = {"type": "hourly", "minuteUTC": 0}
    assert runs_skipped(hourly, at("2026-01-01T00:00:00"), at("2026-01-01T00:00:01")) == (
        0,
        at("2026-01-01T01:00:00"),
    )
    assert runs_skipped(hourly, at("2026-01-01T00:00:00"), at("2026-01-01T03:30:00")) == (
        3,
        at("2026-01-01T04:00:00"),
    )
    every_minute = {"type": "cron", "cronExpr": "* * * * *"}
    skipped, following = runs_skipped(every_minute, at("2006-01-01T00:00:00"), at("2026-01-01T00:00:30"))
    assert (skipped, following) == (1000, at("2026-01-01T00:01:00"))


def test_the_minute_of_a_job_that_has_none_is_stable_and_spread() -> None:
    def minute(name: str, deployment: str = "d") -> int:
        found: int = spread_minute({"type": "hourly"}, name, deployment)["minuteUTC"]
        return found

    minutes = [minute(f"job {number}") for number in range(600)]
    assert minutes == [minute(f"job {number}") for number in range(600)]
    assert set(minutes) == set(range(60))
    assert [minute(f"job {number}", "other") for number in range(600)] != minutes
    given_one = {"type": "daily", "hourUTC": 1, "minuteUTC": 2}
    assert spread_minute(given_one, "x", "d") is given_one


def test_minutes_may_be_left_out_and_impossible_schedules_are_refused() -> None:
    crons = cron_jobs()
    crons.hourly("h", "m:f")
    crons.monthly("m", "m:f", day=1, hour_utc=2)
    assert [job.schedule for job in crons.jobs] == [
        {"type": "hourly"},
        {"type": "monthly", "day": 1, "hourUTC": 2},
    ]
    with pytest.raises(ProjectError, match="Bad day-of-month"):
        crons.cron("never", "0 0 30 2 *", "m:f")
    for seconds in (0.5, float("inf"), float("nan")):
        with pytest.raises(ProjectError, match="an interval is"):
            crons.interval("poll", "m:f", seconds=seconds)
