"""A slot: one executor as a dispatcher sees it, with the calls it was sent and its limits watched.

When an executor fails (ARCHITECTURE.md, section 10), the call that its call marker names gets the error,
the others are handed back to be sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from convexpy.executors.connection import DAMAGED, SILENT, ExecutorConnection
from convexpy.limits import EXECUTOR_SILENT_S, Knobs
from convexpy.protocol.call_marker import Running
from convexpy.protocol.frames import NO_DATABASE, Call, Damaged, FromExecutor, Paused, Result, ToExecutor

WATCH_INTERVAL_S = 0.1
ASLEEP_CPU_SHARE = 0.02
logger: logging.Logger = logging.getLogger("convexpy.executors")


class TransactionSlot:
    """An executor for queries and mutations that has said `Ready`. `sent` holds the calls without an answer, in order."""

    def __init__(
        self,
        connection: ExecutorConnection,
        knobs: Knobs,
        *,
        on_result: Callable[[TransactionSlot, Call, Result], None],
        on_lost: Callable[[TransactionSlot, str, Call | None, list[Call]], None],
        on_paused: Callable[[TransactionSlot, Call], None],
    ) -> None:
        self.connection = connection
        self.sent: dict[int, Call] = {}
        self.lost: bool = False
        self.retiring = False
        self._knobs = knobs
        self._on_result = on_result
        self._on_lost = on_lost
        self._on_paused = on_paused
        self._apart = False
        self._watch: asyncio.TimerHandle | None = None
        self._seen: tuple[int, int] = (0, 0)
        self._silent_looks = 0
        self._looked_at = _FirstLook(0, 0, 0)
        connection.on_frame = self._frame
        connection.on_lost = self._gone

    def call(self, call: Call) -> None:
        """Send a call."""
        self.sent[call.id] = call
        self.connection.send(call)
        self._start_watch()

    def send(self, frame: ToExecutor) -> None:
        """Send any other frame."""
        self.connection.send(frame)

    def _frame(self, frame: FromExecutor) -> None:
        if isinstance(frame, Result):
            call = self.sent.pop(frame.call, None)
            if call is None:
                return  # taken back meanwhile: the answer carries an older epoch
            if frame.writes and call.kind == "query":
                self.connection.kill("it answered a query with writes", call.id)
                return
            self._on_result(self, call, frame)
        elif isinstance(frame, Paused):
            if frame.paused and not self._apart and frame.call in self.sent:
                self._on_paused(self, self.sent[frame.call])
        elif isinstance(frame, Damaged):
            reason = frame.reason if frame.reason.startswith(NO_DATABASE) else f"{DAMAGED}: {frame.reason}"
            logger.warning("replacing executor %d: %s", self.connection.pid, reason)
            self.connection.kill(reason)
        else:
            self.connection.kill(f"it sent a {type(frame).__name__}, which only actions may")

    def _gone(self, reason: str, running: int) -> None:
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
        blamed = self.sent.pop(running, None)
        innocent = list(self.sent.values())
        self.sent.clear()
        self._on_lost(self, reason, blamed, innocent)

    def runs_long(self, seconds: float) -> Call | None:
        """Return the call that has run for so long, without waits for a processor: those are known for the second half."""
        running = self.connection.running()
        if running is None or running.call not in self.sent:
            return None
        if time.monotonic_ns() - running.monotonic_ns < seconds / 2 * 1e9:
            return None
        spent = self._spent(running)
        long = spent.cpu_s > seconds or (spent.own_s > seconds / 2 and not spent.ready)
        return self.sent[running.call] if long else None

    def give_up(self, reason: str) -> list[Call]:
        """End the executor, whatever it runs; return the calls without an answer, in order: they are for another."""
        calls = list(self.sent.values())
        self.sent.clear()
        self.connection.kill(reason)
        return calls

    def set_apart(
        self,
        call: Call,
        on_result: Callable[[TransactionSlot, Call, Result], None],
        on_lost: Callable[[TransactionSlot, str, Call | None, list[Call]], None],
    ) -> list[Call]:
        """Leave the executor to this call, which stands in a debugger, for as long as it takes.

        Returns the calls behind it, which are for another executor; the paused one ends by itself after this call.
        """
        self._apart = True
        self._on_result, self._on_lost = on_result, on_lost
        behind = [each for each in self.sent.values() if each is not call]
        self.sent = {call.id: call}
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        return behind

    def close(self) -> None:
        """End the executor; nothing may be under way any more."""
        if self._watch is not None:
            self._watch.cancel()
        self.connection.close()

    # Limits: CPU seconds of the process since the call began, and wall time at a multiple of that. Wall time in which the
    # process was ready to run and others had the processors does not count.

    def _start_watch(self) -> None:
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(WATCH_INTERVAL_S, self._check)

    def _check(self) -> None:
        self._watch = None
        if self.lost or not self.sent:
            return
        running = self.connection.running()
        if running is None and self._is_silent():
            self.connection.kill(f"{SILENT} within {EXECUTOR_SILENT_S:g} s: it is stopped or stuck")
            return
        if running is not None and running.call in self.sent:
            limit = exceeded_limit(self._spent(running), self._knobs, others_wait=len(self.sent) > 1)
            if limit:
                path = self.sent[running.call].path
                self.connection.kill(f"{path} exceeded the limit {limit}", running.call)
                return
        self._start_watch()

    def _spent(self, running: Running) -> Spent:
        """Return what the running call has used; waits for a processor are counted from the first look at it."""
        now_ns = time.monotonic_ns()
        wait = self.connection.processor_wait()
        waited_ns = 0 if wait is None else wait.waited_ns
        if self._looked_at.call != running.call:
            self._looked_at = _FirstLook(running.call, now_ns, waited_ns)
        cpu_ns = self.connection.cpu_ns() - running.cpu_ns
        own_ns = now_ns - self._looked_at.monotonic_ns - (waited_ns - self._looked_at.waited_ns)
        if wait is None and cpu_ns > own_ns * ASLEEP_CPU_SHARE:
            own_ns = cpu_ns  # one that computes is taken to have been ready for the rest
        return Spent(
            cpu_s=cpu_ns / 1e9,
            own_s=own_ns / 1e9,
            ready=wait is not None and wait.ready,
        )

    def _is_silent(self) -> bool:
        """Say whether nothing has run, nothing has arrived and no processor was used for too long, although calls wait.

        Looks are counted, not seconds: while this process stands still, the executor is not to blame. Nor is it while
        it waits for a processor.
        """
        seen = (self.connection.cpu_ns(), next(iter(self.sent)))
        self._silent_looks = self._silent_looks + 1 if seen == self._seen else 0
        self._seen = seen
        if self._silent_looks * WATCH_INTERVAL_S <= EXECUTOR_SILENT_S:
            return False
        wait = self.connection.processor_wait()
        return wait is None or not wait.ready


class _FirstLook(NamedTuple):
    """When the watch first saw a call, and how long its process had waited for a processor by then."""

    call: int
    monotonic_ns: int
    waited_ns: int


class Spent(NamedTuple):
    """What a call has used so far.

    `own_s` is the wall time in which it ran, slept or waited for something, but not for a processor; `ready` says that
    it runs or waits for a processor at this moment.
    """

    cpu_s: float
    own_s: float
    ready: bool


def exceeded_limit(spent: Spent, knobs: Knobs, *, others_wait: bool) -> str:
    """Return the limit that a call has exceeded, with its figures; empty if none.

    How busy the machine is changes nothing: a call that computes is ended by its CPU time, however long that takes. One that
    hardly uses the processor gets twice the limit while other calls wait. The time of a call that is ready to run is not
    yet known in full, so it is not judged by its wall time at that moment.
    """
    limit = knobs.function_cpu_s
    wall_limit = limit * knobs.function_wall_factor
    if spent.cpu_s > limit:
        return f"function_cpu_s: {limit:g} s of CPU time"
    if spent.ready:
        return ""
    if others_wait and spent.own_s > 2 * limit and spent.cpu_s < spent.own_s * ASLEEP_CPU_SHARE:
        return f"function_wall_s: {2 * limit:g} s while other calls wait; it slept, or waited for something"
    if spent.own_s > wall_limit:
        return f"function_wall_s: {wall_limit:g} s of wall time"
    return ""


class CrashLimiter:
    """Functions that keep killing executors are refused for a while, so that they cannot starve the others."""

    DEATHS_MAX = 3
    WINDOW_S = 60.0
    REFUSED_S = 10.0

    def __init__(self) -> None:
        self._deaths: dict[str, deque[float]] = {}
        self._refused: dict[str, tuple[float, str]] = {}

    def killed(self, path: str, reason: str) -> None:
        """Note that a call of this function has cost an executor."""
        now = time.monotonic()
        deaths = self._deaths.setdefault(path, deque(maxlen=self.DEATHS_MAX))
        deaths.append(now)
        if len(deaths) == self.DEATHS_MAX and now - deaths[0] < self.WINDOW_S:
            self._refused[path] = (now + self.REFUSED_S, reason)
            deaths.clear()

    def refusal(self, path: str) -> str | None:
        """Return why calls of this function are refused just now, or None."""
        if path not in self._refused:
            return None
        until, reason = self._refused[path]
        if time.monotonic() >= until:
            del self._refused[path]
            return None
        return (
            f"{path} ended {self.DEATHS_MAX} executors within {self.WINDOW_S:g} s (last: {reason}); "
            f"it is refused for {self.REFUSED_S:g} s"
        )


def limit_name(reason: str) -> str:
    """Return the limit that a kill reason names, or an empty string."""
    _, found, rest = reason.partition("the limit ")
    return rest.partition(":")[0] if found else ""
