"""When a cron job runs next. All times are UTC milliseconds since the epoch.

A schedule is what `Crons` collects: `{"type": "hourly", "minuteUTC": 5}` and so on. The kinds but `interval` are read as
cron expressions, so that there is one piece of calendar arithmetic.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from functools import lru_cache

from convexpy.protocol.app_description import ScheduleJson

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def spread_minute(schedule: ScheduleJson, name: str, deployment: str) -> ScheduleJson:
    """Return the schedule with a minute, where it has none: always the same for a job of a deployment.

    Jobs that do not care for the minute are thereby spread over the hour.
    """
    if schedule["type"] in ("interval", "cron") or "minuteUTC" in schedule:
        return schedule
    digest = hashlib.sha256(f"{deployment}|{name}".encode()).digest()
    return {**schedule, "minuteUTC": int.from_bytes(digest[:8], "big") % 60}


def expression_of(schedule: ScheduleJson) -> str:
    """Return the cron expression of a schedule that is not an interval."""
    match schedule["type"]:
        case "hourly":
            return f"{int(schedule['minuteUTC'])} * * * *"
        case "daily":
            return f"{_time(schedule)} * * *"
        case "weekly":
            return f"{_time(schedule)} * * {_WEEKDAYS.index(schedule['dayOfWeek'])}"
        case "monthly":
            return f"{_time(schedule)} {int(schedule['day'])} * *"
        case _:
            return str(schedule["cronExpr"])


def _time(schedule: ScheduleJson) -> str:
    return f"{int(schedule['minuteUTC'])} {int(schedule['hourUTC'])}"


def next_run_ms(schedule: ScheduleJson, after_ms: float, *, first: bool = False) -> float:
    """Return when a job runs next after a run that was planned for `after_ms`; `first`: after it was defined then.

    An interval begins at once, then keeps its rhythm.
    """
    if schedule["type"] == "interval":
        return after_ms if first else after_ms + schedule["seconds"] * 1000
    from convexpy.functions._cron_expressions import times

    found: datetime = next(times(expression_of(schedule), math.floor(after_ms)))
    return found.replace(tzinfo=UTC).timestamp() * 1000


def planned_ms(schedule: ScheduleJson, next_ms: float, now_ms: float) -> float:
    """Return when a job runs next that is planned for `next_ms`.

    That is `next_ms`, unless a clock that ran ahead made the plan: then an interval goes on at once, and a job by the
    calendar with its next time from now.
    """
    if schedule["type"] == "interval":
        return now_ms if next_ms - now_ms > schedule["seconds"] * 1000 else next_ms
    return min(next_ms, next_run_ms(schedule, now_ms))


def runs_skipped(schedule: ScheduleJson, planned_ms: float, now_ms: float) -> tuple[int, float]:
    """Return how many runs after the one planned for `planned_ms` are late by now, and when the next one is."""
    if schedule["type"] == "interval":
        step = schedule["seconds"] * 1000
        late = max(0, math.ceil((now_ms - planned_ms) / step) - 1)
        return late, planned_ms + (late + 1) * step
    skipped = 0
    following = next_run_ms(schedule, planned_ms)
    if following >= now_ms:
        return 0, following
    # After a long pause there may be millions of them: count some, then go on from now.
    while following < now_ms and skipped < 1000:
        skipped += 1
        following = next_run_ms(schedule, following)
    if following < now_ms:
        following = next_run_ms(schedule, now_ms)
    return skipped, following


@lru_cache(maxsize=256)
def cron_problem(expression: str) -> str | None:
    """Return what is wrong with a cron expression, None if nothing is."""
    from convexpy.functions._cron_expressions import problem_of

    return problem_of(expression)
