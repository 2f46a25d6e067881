"""Cron expressions: what is accepted, what is refused, and when they come."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from convexpy.functions._cron_expressions import problem_of, times

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["01-31", "02-28", "03-31"]),
        ("0 0 L-3 * *", ["01-28", "02-25", "03-28"]),
        ("0 0 LW * *", ["01-30", "02-27", "03-31"]),
        ("0 0 15W * *", ["01-15", "02-16", "03-16"]),
        ("0 0 1W 2-6 ?", ["02-02", "03-02", "04-01", "05-01", "06-01"]),
        ("0 0 31W * *", ["01-30", "03-31", "05-29"]),
        ("0 0 31W 1,5 *", ["01-30", "05-29"]),
        ("0 0 1,15W * *", ["01-15", "02-01", "02-16"]),
        ("0 0 * * 5L", ["01-30", "02-27"]),
        ("0 0 ? * friL", ["01-30", "02-27"]),
        ("0 0 * * 5#3", ["01-16", "02-20"]),
        ("0 0 * * MON#1,wed#2", ["01-05", "01-14"]),
        ("0 0 * * L", ["01-03", "01-10"]),
        ("0 0 ? * 1", ["01-05", "01-12"]),
        ("0 0 10 * ?", ["01-10", "02-10"]),
        ("0 0 * * 7", ["01-04"]),
        ("0 0 * * 0", ["01-04"]),
        ("0 0 13 * fri", ["01-02", "01-09", "01-13"]),
        ("0 0 15W * 1", ["01-05", "01-12", "01-15"]),
        ("0 0 */10 * *", ["01-11", "01-21", "01-31", "02-01"]),
    ],
)
def test_days(expression: str, days: list[str]) -> None:
    assert problem_of(expression) is None
    assert [f"{day:%m-%d}" for day in islice(times(expression, NEW_YEAR), len(days))] == days


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/60 * * * *", "minute '*/60'"),
        ("0 */24 * * *", "hour '*/24'"),
        ("0 0 */32 * *", "day of month '*/32'"),
        ("0 0 1 */13 *", "month '*/13'"),
        ("0 0 * * */8", "day of week '*/8'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("? * * * *", "minute '?'"),
        ("0 L * * *", "hour 'L'"),
        ("0 0 32W * *", "day of month '32W'"),
        ("0 0 0W * *", "day of month '0W'"),
        ("0 0 L-31 * *", "day of month 'L-31'"),
        ("0 0 * * 5#6", "day of week '5#6'"),
        ("0 0 * * 8L", "day of week '8L'"),
        ("0 0 * * XL", "day of week 'XL'"),
        ("0 0 1#2 * *", "day of month '1#2'"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("0 0 30W 2 *", "it never comes"),
        ("0 22-2 * * *", "hour '22-2'"),
        ("@daily", "it has 1 fields"),
        ("0 0 ٣ * *", "day of month"),
        ("", "it has 0 fields"),
    ],
)
def test_what_is_refused(expression: str, words: str) -> None:
    assert words in (problem_of(expression) or "")
