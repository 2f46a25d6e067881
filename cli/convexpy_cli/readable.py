"""Sizes, moments and commits as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def size_text(size: int) -> str:
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


def commit_text(pushed: Mapping[str, Any]) -> str:
    """Return the commit of a push, empty for none: `9bd0e77`, or `9bd0e77 with changes` if files differed from it."""
    commit = (pushed.get("commit") or "")[:7]
    return f"{commit} with changes" if commit and pushed.get("dirty") else commit
