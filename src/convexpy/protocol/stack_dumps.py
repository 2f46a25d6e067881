"""Where a process stands in the app's code, also when it holds the interpreter, was stopped by a crash, or exits.

A child writes the stacks of its threads into shared memory: when it is asked (`ASK`, a signal that C code answers), and when
it crashes. The server reads it and keeps the lines of the app. The memory also holds the call marker; the stacks
begin at `OFFSET`, and both sides write through one open file, so the server rewinds before it asks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from convexpy.errors import SourceLocation

OFFSET = 4096
TEXT_BYTES_MAX = 256 * 1024
_realtime = getattr(signal, "SIGRTMIN", None)
ASK = signal.SIGUSR1 if _realtime is None else _realtime + 5
"""Asks for the stacks."""
INTERRUPT = signal.SIGUSR2 if _realtime is None else _realtime + 6
"""Ends what the main thread is running, if that has run for too long."""
_FRAME = re.compile(r'^  File "([^"]+)", line (\d+) in (.+)$', re.MULTILINE)


# In the child


_descriptor = -1


def install(descriptor: int) -> None:
    """Write stacks to `descriptor` from now on; the one before, which a fork has inherited, is closed."""
    global _descriptor
    before, _descriptor = _descriptor, descriptor
    if before >= 0:
        os.close(before)
    os.lseek(descriptor, OFFSET, os.SEEK_SET)
    with contextlib.suppress(RuntimeError, ValueError, OSError):
        faulthandler.enable(descriptor, all_threads=False)
        faulthandler.register(ASK, descriptor, all_threads=True)


def on_interrupt(handle: Callable[[FrameType | None], None]) -> None:
    """Call `handle` in the main thread with the frame that an `INTERRUPT` has stopped; it may raise."""

    def handler(number: int, frame: FrameType | None) -> None:
        handle(frame)

    signal.signal(INTERRUPT, handler)


def note_own_end() -> None:
    """Write the stack also before this process, or a fork of it, ends itself by `os._exit` or a signal."""
    end = os._exit

    def note() -> None:
        with contextlib.suppress(OSError, ValueError):
            faulthandler.dump_traceback(_descriptor, all_threads=False)

    def noted_exit(status: int) -> Any:
        note()
        end(status)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "os.kill" and args[0] == os.getpid():
            note()

    os._exit = noted_exit
    sys.addaudithook(audit)


# In the server


def ask(descriptor: int, pid: int) -> None:
    """Have a process write its stacks; it does so within milliseconds, unless it is stopped."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, OFFSET)
        os.lseek(descriptor, OFFSET, os.SEEK_SET)
        os.kill(pid, ASK)


def read(descriptor: int, marker: str) -> list[tuple[SourceLocation, str]]:
    """Return where the threads stand in the app: the innermost line of each and its function; `marker` is `"convex/"`."""
    try:
        text = os.pread(descriptor, TEXT_BYTES_MAX, OFFSET).decode(errors="replace")
    except OSError:
        return []
    found: list[tuple[SourceLocation, str]] = []
    for stack in re.split(r"^(?:Current )?[Tt]hread ", text, flags=re.MULTILINE):
        for file, line, function in _FRAME.findall(stack):
            if file.startswith(marker):
                found.append((SourceLocation(file, int(line)), function))
                break
    return found


def described(places: list[tuple[SourceLocation, str]]) -> str:
    """Return `convex/a.py:12 in f`, several with commas; empty if nothing is known."""
    return ", ".join(f"{place.file}:{place.line} in {function}" for place, function in places)
