"""Waiting for a fact that no event tells: looked for again and again, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_S = 0.02


def wait_for(look: Callable[[], T | None], deadline_s: float) -> T | None:
    """Return the first result of `look` that is not None, or None when the time is up."""
    until = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        found = look()
        if found is not None or time.monotonic() > until:
            return found
        pause.wait(_INTERVAL_S)
