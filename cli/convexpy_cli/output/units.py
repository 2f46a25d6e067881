"""Sizes, times and commits as people read and write them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from convexpy_cli import errors

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def size_text(size: float) -> str:
    """Return a number of bytes: `512 B`, `1.5 MiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def local_time(ms: float | None) -> str:
    """Return milliseconds since the epoch as local date and time, `-` for none."""
    return "-" if ms is None else datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso_time(ms: float) -> str:
    """Return milliseconds since the epoch in ISO 8601: `2026-01-31T14:30:00.125Z`."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_minute(ms: float | None, otherwise: str = "-") -> str:
    """Return milliseconds since the epoch as local date, hours and minutes."""
    return otherwise if ms is None else local_time(ms)[:-3]


def commit_text(commit: str | None, dirty: bool) -> str:
    """Return a commit, empty for none: `9bd0e77`, or `9bd0e77 with changes` if files differed from it (`dirty`)."""
    return f"{commit[:7]} with changes" if commit and dirty else (commit or "")[:7]


def span_s(text: str) -> float:
    """Return the seconds of `90d`, `12h`, `30m`, `45s` or `2w`.

    Raises:
        Failure: it is no span (exit 2).
    """
    match = _SPAN.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise errors.usage(f"{text!r} is not a valid duration", "90d, 12h, 30m or 2w")
    return float(match[1]) * _UNITS_S[match[2]]


def moment_ms(text: str) -> float:
    """Return milliseconds since the epoch of a span before now, a local time of today, or an ISO date and time.

    Raises:
        Failure: it is none of these (exit 2).
    """
    if _SPAN.fullmatch(text):
        return (time.time() - span_s(text)) * 1000
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
            text = f"{datetime.now().astimezone():%Y-%m-%d}T{text.zfill(5)}"
        return datetime.fromisoformat(text).astimezone().timestamp() * 1000
    except ValueError as error:
        raise errors.usage(f"{text!r} is not a valid time", "10m, 2h, 14:30, 2026-01-31T14:30:00Z") from error
