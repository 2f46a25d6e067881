"""Damage that app code does to its executor: what the engine relies on is replaced, or the processor is kept busy.

It shows in errors that come out of the engine and not out of the app, and in `Health.complaint`, which compares what the
engine uses with what it was when the app had been loaded. A damaged executor is replaced; it is not repaired.
"""

from __future__ import annotations

import builtins
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import convexpy
from convexpy.errors import ConvexError, Error
from convexpy.limits import STRAY_CPU_SHARE_MAX

_PACKAGE = str(Path(convexpy.__file__).parent)
_WATCHED: tuple[ModuleType, ...] = (builtins, time, os, select, socket)
_SIGNALS = [
    getattr(signal, name)
    for name in [
        "SIGALRM",
        "SIGCHLD",
        "SIGINT",
        "SIGPIPE",
        "SIGPROF",
        "SIGTERM",
        "SIGUSR1",
        "SIGUSR2",
        "SIGVTALRM",
    ]
    if hasattr(signal, name)
]
CHECK_EVERY_S = 1.0
ENGINE_ERRORS_MAX = 5
"""So many errors of the engine in a row are not the fault of calls: any success in between counts as health."""
# What the engine itself needs when the app has replaced it.
_monotonic, _process_time, _thread_time = time.monotonic, time.process_time, time.thread_time


class ExecutorDamaged(BaseException):
    """The engine cannot be relied on in this process any more; a call without an answer has not run."""


def ends_in_engine(error: BaseException) -> bool:
    """Say whether an exception was raised by the engine's own code, perhaps called by the app."""
    trace, last = error.__traceback__, ""
    while trace is not None:
        last, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    expected = (Error, ConvexError, MemoryError, RecursionError, UnicodeError)
    return last.startswith(_PACKAGE) and not isinstance(error, expected)


class Health:
    """What an executor was like when its app had been loaded."""

    def __init__(self, *, for_actions: bool = False) -> None:
        """Take note of what is now; actions may change more: they patch sockets for a proxy, and handle signals."""
        watched = (builtins,) if for_actions else _WATCHED
        self._names: list[tuple[ModuleType, dict[str, Any]]] = [
            (module, dict(vars(module))) for module in watched
        ]
        self._signals = [] if for_actions else _SIGNALS
        self._handlers = [signal.getsignal(number) for number in self._signals]
        self._for_actions = for_actions
        self._recursion = sys.getrecursionlimit()
        self._checked_at = _monotonic()
        self._stray_s = self._stray_cpu_s()

    @staticmethod
    def _stray_cpu_s() -> float:
        """Return the CPU seconds of all threads but this one."""
        return _process_time() - _thread_time()

    @property
    def is_due(self) -> bool:
        """Whether the last look was long enough ago."""
        return _monotonic() - self._checked_at >= CHECK_EVERY_S

    @property
    def has_threads(self) -> bool:
        """Whether functions have left threads behind."""
        return threading.active_count() > 1

    def complaint(self, *, threads_may_work: bool = False) -> str:
        """Return what app code has damaged, or an empty string."""
        now = _monotonic()
        passed_s, self._checked_at = now - self._checked_at, now
        stray_s = self._stray_cpu_s()
        busy_s, self._stray_s = stray_s - self._stray_s, stray_s
        for module, names in self._names:
            current = vars(module)
            for name, value in names.items():
                if current.get(name) is not value:
                    return f"{module.__name__}.{name} was replaced"
        for number, handler in zip(self._signals, self._handlers, strict=True):
            if signal.getsignal(number) != handler:
                return f"the handler of {signal.Signals(number).name} was changed"
        if sys.getrecursionlimit() != self._recursion:
            return f"the recursion limit was set to {sys.getrecursionlimit()}"
        if not self._for_actions and not gc.isenabled():
            return "garbage collection was turned off"
        if (
            not threads_may_work
            and passed_s >= CHECK_EVERY_S / 4
            and self.has_threads
            and busy_s > STRAY_CPU_SHARE_MAX * passed_s
        ):
            return "a thread that a function has started keeps the processor busy"
        return ""
