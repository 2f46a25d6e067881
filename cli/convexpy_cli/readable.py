"""Sizes and moments as people read them."""

from __future__ import annotations

from datetime import datetime


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
