"""Limits of an import in the process that makes it.

An import that takes too long is interrupted by an alarm, so that its error has the line it was at.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class ImportTooSlow(BaseException):
    """An alarm: no `except Exception` of a module holds it up."""


def too_large_text(limit_bytes: int) -> str:
    """Return the text of an import that takes too much memory."""
    return f"importing the app exceeded the limit executor_memory_bytes: {limit_bytes // 2**20} MiB of memory"


@contextmanager
def limited(seconds: float) -> Generator[None]:
    """Raise `ImportTooSlow` in the main thread when the body takes longer; 0 is without limit."""

    def alarm(number: int, frame: FrameType | None) -> None:
        raise ImportTooSlow

    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory(limit_bytes: int) -> None:
    """Let this process have so much more memory than it has; 0 is without limit."""
    if sys.platform != "linux":
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard
    if limit_bytes:
        with open("/proc/self/statm") as statm:  # noqa: PTH123 - one line of /proc
            soft = int(statm.read().split()[5]) * resource.getpagesize() + limit_bytes
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
