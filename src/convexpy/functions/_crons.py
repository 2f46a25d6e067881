"""Cron jobs: what runs when. All times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeAlias, overload

import msgspec

from convexpy.errors import ArgumentError, ProjectError, SourceLocation, caller_location
from convexpy.functions._references import AnyReference, SchedulableReference, call_of, definition_of, path_of
from convexpy.functions._schedules import cron_problem
from convexpy.protocol.app_description import CronDescription, ScheduleJson
from convexpy.values import normalize, to_json

_Function: TypeAlias = SchedulableReference[..., Any] | AnyReference | str
_Args: TypeAlias = Mapping[str, Any]
_Weekday: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INTERVAL_S_MIN = 1.0
INTERVAL_S_MAX = 10 * 366 * 86_400.0


class CronSpec(msgspec.Struct, frozen=True):
    """One job. `args` is canonical, by the names that the caller used; `location` is where it was defined."""

    name: str
    schedule: ScheduleJson
    function: Any
    args: dict[str, Any]
    location: SourceLocation | None

    @property
    def path(self) -> str:
        """The path of the function, once functions have paths.

        Raises:
            ProjectError: the reference names no function that can be scheduled.
        """
        definition = definition_of(self.function)
        try:
            path = path_of(self.function)
        except (ArgumentError, ProjectError) as error:
            raise ProjectError(f"cron job {self.name!r}: {error.message}", location=self.location) from error
        if definition is not None and definition.kind == "query":
            raise ProjectError(
                f"cron job {self.name!r}: {path} is a query, only mutations and actions can run",
                location=self.location,
            )
        return path

    def describe(self) -> CronDescription:
        """Return the job as data; arguments in their wire form."""
        return CronDescription(
            name=self.name,
            schedule=self.schedule,
            function=self.path,
            args=to_json(call_of(self.function, (self.args,), {}).args),
            file=self.location.file if self.location else None,
            line=self.location.line if self.location else None,
        )


class Crons:
    """The module variable `crons` of `crons.py`."""

    def __init__(self) -> None:
        self.jobs: list[CronSpec] = []

    @overload
    def interval(self, name: str, function: _Function, args: _Args = ..., /, *, seconds: float) -> None: ...
    @overload
    def interval(self, name: str, function: _Function, args: _Args = ..., /, *, minutes: float) -> None: ...
    @overload
    def interval(self, name: str, function: _Function, args: _Args = ..., /, *, hours: float) -> None: ...
    def interval(
        self,
        name: str,
        function: _Function,
        args: _Args | None = None,
        /,
        *,
        seconds: float | None = None,
        minutes: float | None = None,
        hours: float | None = None,
    ) -> None:
        """Run a function again and again, this long after it began the time before."""
        given = [
            (each, unit) for each, unit in ((seconds, 1), (minutes, 60), (hours, 3600)) if each is not None
        ]
        if len(given) != 1:
            _fail(f"cron job {name!r}: an interval has seconds, minutes or hours, one of them")
        number, unit = given[0]
        if not number > 0:
            _fail(f"cron job {name!r}: an interval is longer than {number!r}")
        if not INTERVAL_S_MIN <= number * unit <= INTERVAL_S_MAX:
            _fail(f"cron job {name!r}: an interval is between one second and ten years, not {number!r}")
        self._add(name, function, args, {"type": "interval", "seconds": number * unit})

    # Where `minute_utc` is left out, the deployment chooses a minute: always the same for a job, spread over the hour.

    def hourly(
        self, name: str, function: _Function, args: _Args | None = None, /, *, minute_utc: int | None = None
    ) -> None:
        """Run a function every hour at this minute."""
        self._add(name, function, args, {"type": "hourly", **_minute(name, minute_utc)})

    def daily(
        self,
        name: str,
        function: _Function,
        args: _Args | None = None,
        /,
        *,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Run a function every day at this time."""
        self._add(name, function, args, {"type": "daily", **_time(name, hour_utc, minute_utc)})

    def weekly(
        self,
        name: str,
        function: _Function,
        args: _Args | None = None,
        /,
        *,
        day_of_week: _Weekday,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Run a function every week on this day at this time."""
        if day_of_week not in _WEEKDAYS:
            _fail(
                f"cron job {name!r}: {day_of_week!r} is not a day of the week: there are {', '.join(_WEEKDAYS)}"
            )
        time = _time(name, hour_utc, minute_utc)
        self._add(name, function, args, {"type": "weekly", "dayOfWeek": day_of_week, **time})

    def monthly(
        self,
        name: str,
        function: _Function,
        args: _Args | None = None,
        /,
        *,
        day: int,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Run a function every month on this day at this time; months without the day are left out."""
        _within(name, "day", day, 1, 31)
        self._add(name, function, args, {"type": "monthly", "day": day, **_time(name, hour_utc, minute_utc)})

    def cron(self, name: str, expression: str, function: _Function, args: _Args | None = None, /) -> None:
        """Run a function by a cron expression: minute, hour, day of month, month, day of week.

        Beside what cron has: `L`, `L-3`, `LW` and `15W` for days of the month, `5L` and `5#2` for days of the week, `?`.
        """
        problem = cron_problem(expression)
        if problem:
            _fail(f"cron job {name!r}: {expression!r} is not a valid cron expression: {problem}")
        self._add(name, function, args, {"type": "cron", "cronExpr": expression})

    def check(self, functions: Mapping[str, Any]) -> None:
        """Refuse jobs whose function is none of these, by path.

        Raises:
            ProjectError: names the job and where it was defined.
        """
        for job in self.jobs:
            if job.path not in functions:
                raise ProjectError(
                    f"cron job {job.name!r}: there is no function {job.path}", location=job.location
                )

    def describe(self) -> tuple[CronDescription, ...]:
        """Return the jobs as data."""
        return tuple(job.describe() for job in self.jobs)

    def _add(self, name: str, function: _Function, args: _Args | None, schedule: ScheduleJson) -> None:
        location = caller_location()
        if not name or not name.isascii() or not name.isprintable():
            _fail(f"{name!r} cannot be the name of a cron job: use printable ASCII")
        for job in self.jobs:
            if job.name == name:
                _fail(f"two cron jobs are called {name!r}: {job.location} and {location}")
        try:
            plain = normalize(dict(args or {}), path="args")
        except ArgumentError as error:
            raise ProjectError(f"cron job {name!r}: {error.message}", location=location) from error
        self.jobs.append(CronSpec(name, schedule, function, plain, location))


def _within(name: str, what: str, number: int, lowest: int, highest: int) -> int:
    if type(number) is not int or not lowest <= number <= highest:
        _fail(f"cron job {name!r}: {what} is a whole number from {lowest} to {highest}, not {number!r}")
    return number


def _minute(name: str, minute_utc: int | None) -> dict[str, int]:
    return {} if minute_utc is None else {"minuteUTC": _within(name, "minute_utc", minute_utc, 0, 59)}


def _time(name: str, hour_utc: int, minute_utc: int | None) -> dict[str, int]:
    return {"hourUTC": _within(name, "hour_utc", hour_utc, 0, 23), **_minute(name, minute_utc)}


def _fail(message: str) -> NoReturn:
    raise ProjectError(message, location=caller_location())


def cron_jobs() -> Crons:
    """Return an empty set of cron jobs."""
    return Crons()
