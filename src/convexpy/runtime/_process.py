"""What a process asks of the system: its name, its memory, and what others see of it."""

from __future__ import annotations

import contextlib
import ctypes
import sys

PR_SET_DUMPABLE = 4
PR_SET_NAME = 15


def name_thread(name: str) -> None:
    """Give the calling thread a name (15 characters) that `top -H` and profilers show. Linux only."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def prefer_for_oom() -> None:
    """Have the kernel end this process, and its forks, before others when memory runs out. Linux only."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write("500")


def hide_process() -> None:
    """Let no other process of this user read the memory, environment or descriptors of this one, nor of its forks.

    It also leaves no core dump. The superuser may do all that nevertheless. Linux only.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_back_memory() -> None:
    """Give the system back what was freed in the middle of the heap: glibc keeps that for ever. Takes milliseconds."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # other C libraries need no asking
            ctypes.CDLL(None).malloc_trim(0)
