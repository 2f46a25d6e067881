"""Cron expressions: five fields as cron has them, with `L`, `W`, `#` and `?` as Convex accepts them.

Day of month: `L` the last day, `L-3` three days before it, `LW` the last weekday, `15W` the weekday nearest to the 15th of the
same month. Day of week, from 0 or 7 for Sunday: `5L` the last Friday, `5#2` the second one, `L` Saturday. `?` stands for `*` in
either. The arithmetic is cronsim's, which lacks `W` with a day and `L-n`.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta

from cronsim import CronSim, CronSimError

from convexpy.values import from_ms

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# Name of the field, lowest and highest number, names of numbers from the lowest up.
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_part = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?").fullmatch
_day_before_last = re.compile(r"L-(\d+)").fullmatch
_nearest_weekday = re.compile(r"(\d+)W").fullmatch
_last_of_week = re.compile(r"(\w+)L").fullmatch
_nth_of_week = re.compile(r"(\w+)#([1-5])").fullmatch
_NEVER = "LW"  # something that cronsim accepts, for a field whose parts are all ours


def times(expression: str, after_ms: float) -> CronSim:
    """Return the moments of a valid expression after this one, in UTC."""
    return _Expression(expression, from_ms(after_ms))


def problem_of(expression: str) -> str | None:
    """Return what is wrong with a cron expression, None if nothing is."""
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields, not 5"
    for position, text in enumerate(fields):
        for part in text.split(","):
            if not part.isascii() or not _is_valid(part.upper(), position):
                return f"{_FIELDS[position][0]} {part!r}"
    try:
        next(times(expression, 946_684_800_000))
    except CronSimError as error:
        return str(error)
    except StopIteration:
        return "it never comes"
    return None


def _is_valid(part: str, position: int) -> bool:
    _, lowest, highest, _ = _FIELDS[position]
    if position == _DAY_OF_MONTH:
        if part in ("L", "LW", "?"):
            return True
        if before := _day_before_last(part):
            return 0 < int(before[1]) < 31
        if nearest := _nearest_weekday(part):
            return lowest <= int(nearest[1]) <= highest
    if position == _DAY_OF_WEEK:
        if part in ("L", "?"):
            return True
        special = _last_of_week(part) or _nth_of_week(part)
        if special is not None:
            return _number(special[1], position) is not None
    found = _part(part)
    if found is None or (found[3] is not None and not 0 < int(found[3]) <= highest):
        return False
    numbers = [_number(word, position) for word in found.groups()[:2] if word is not None]
    known = [number for number in numbers if number is not None]
    return len(known) == len(numbers) and known == sorted(known)


def _number(word: str, position: int) -> int | None:
    _, lowest, highest, names = _FIELDS[position]
    number = lowest + names.index(word) if word in names else int(word) if word.isdecimal() else None
    return number if number is not None and lowest <= number <= highest else None


class _Expression(CronSim):
    """An expression with `W` and `L-n`."""

    def __init__(self, expression: str, after: datetime) -> None:
        fields = expression.upper().replace("?", "*").split()
        own: list[str] = []
        plain: list[str] = []
        for part in fields[_DAY_OF_MONTH].split(","):
            (own if _day_before_last(part) or _nearest_weekday(part) else plain).append(part)
        self._before_last = [int(found[1]) for part in own if (found := _day_before_last(part))]
        self._nearest = [int(found[1]) for part in own if (found := _nearest_weekday(part))]
        self._has_plain = bool(plain)
        fields[_DAY_OF_MONTH] = ",".join(plain) or _NEVER
        fields[_DAY_OF_WEEK] = ",".join(map(_plain_day_of_week, fields[_DAY_OF_WEEK].split(",")))
        super().__init__(" ".join(fields), after)

    def match_dom(self, d: date) -> bool:
        """Return whether the day of the month matches (called by cronsim)."""
        last = calendar.monthrange(d.year, d.month)[1]
        return (
            (self._has_plain and super().match_dom(d))
            or any(d.day == last - number for number in self._before_last)
            or any(
                number <= last and d == _weekday_near(d.replace(day=number), last) for number in self._nearest
            )
        )


def _plain_day_of_week(part: str) -> str:
    """Return a day of the week as cronsim reads it: `L` with a name as one with a number, `L` alone as Saturday."""
    if part == "L":
        return "6"
    last = _last_of_week(part)
    return f"{_number(last[1], _DAY_OF_WEEK)}L" if last else part


def _weekday_near(day: date, last: int) -> date:
    """Return the weekday nearest to a day, in the same month."""
    if day.weekday() == 5:
        return day + timedelta(days=2 if day.day == 1 else -1)
    if day.weekday() == 6:
        return day + timedelta(days=-2 if day.day == last else 1)
    return day
