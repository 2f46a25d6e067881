"""A slot: one executor as a dispatcher sees it, with the calls it was sent and its limits watched.

What happens when an executor fails is ARCHITECTURE.md, "An executor fails": the call that its word names gets the error,
the others are handed back to be sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from convexpy.execution.connection import DAMAGED, SILENT, ExecutorConnection
from convexpy.limits import EXECUTOR_SILENT_S, Knobs
from convexpy.protocol.frames import Call, Damaged, FromExecutor, Paused, Ready, Result, ToExecutor

WATCH_INTERVAL_S = 0.1
CPU_SHARE_WHILE_OTHERS_WAIT = 0.5
ASLEEP_CPU_SHARE = 0.02
logger = logging.getLogger("convexpy.executors")


class TransactionSlot:
    """An executor for queries and mutations. `sent` holds the calls without an answer, in order."""

    def __init__(
        self,
        connection: ExecutorConnection,
        knobs: Knobs,
        *,
        on_ready: Callable[[TransactionSlot], None],
        on_result: Callable[[TransactionSlot, Call, Result], None],
        on_lost: Callable[[TransactionSlot, str, Call | None, list[Call]], None],
        on_paused: Callable[[TransactionSlot, Call], None],
    ) -> None:
        self.connection = connection
        self.sent: dict[int, Call] = {}
        self.ready = False
        self.lost = False
        self.retiring = False
        self._knobs = knobs
        self._on_ready = on_ready
        self._on_result = on_result
        self._on_lost = on_lost
        self._on_paused = on_paused
        self._apart = False
        self._watch: asyncio.TimerHandle | None = None
        self._seen: tuple[int, int] = (0, 0)
        self._silent_looks = 0
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
        elif isinstance(frame, Ready):
            self.ready = True
            self._on_ready(self)
        elif isinstance(frame, Paused):
            if frame.paused and not self._apart and frame.call in self.sent:
                self._on_paused(self, self.sent[frame.call])
        elif isinstance(frame, Damaged):
            logger.warning("replacing executor %d: %s: %s", self.connection.pid, DAMAGED, frame.reason)
            self.connection.kill(f"{DAMAGED}: {frame.reason}")
        else:
            self.connection.kill(f"it sent a {type(frame).__name__}, which only actions may")

    def _gone(self, reason: str, running: int) -> None:
        self.lost = True
        self.ready = False
        if self._watch is not None:
            self._watch.cancel()
        blamed = self.sent.pop(running, None)
        innocent = list(self.sent.values())
        self.sent.clear()
        self._on_lost(self, reason, blamed, innocent)

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

    # Limits: CPU seconds of the process since the call began, and wall time at a multiple of that.

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
            call = self.sent[running.call]
            limit = self._knobs.function_cpu_s
            cpu_s = (self.connection.cpu_ns() - running.cpu_ns) / 1e9
            wall_s = (time.monotonic_ns() - running.monotonic_ns) / 1e9
            if cpu_s > limit:
                self.connection.kill(
                    f"{call.path} exceeded the limit function_cpu_s: {limit:g} s of CPU time", call.id
                )
                return
            held_up = _held_up(cpu_s, wall_s, limit) if len(self.sent) > 1 else ""
            if held_up:
                self.connection.kill(f"{call.path} exceeded the limit {held_up}", call.id)
                return
            if wall_s > limit * self._knobs.function_wall_factor:
                self.connection.kill(
                    f"{call.path} exceeded the limit function_wall_s: "
                    f"{limit * self._knobs.function_wall_factor:g} s of wall time",
                    call.id,
                )
                return
        self._start_watch()

    def _is_silent(self) -> bool:
        """Say whether nothing has run, nothing has arrived and no processor was used for too long, although calls wait.

        Looks are counted, not seconds: while this process stands still, the executor is not to blame.
        """
        seen = (self.connection.cpu_ns(), next(iter(self.sent)))
        self._silent_looks = self._silent_looks + 1 if seen == self._seen else 0
        self._seen = seen
        return self._silent_looks * WATCH_INTERVAL_S > EXECUTOR_SILENT_S


def _held_up(cpu_s: float, wall_s: float, limit: float) -> str:
    """Return the limit that a call has passed for others to go on, although it is within its own; empty if none.

    On a busy machine the limit of CPU time is reached late: half of it must do once the others have waited for as long as
    the limit. One that hardly uses the processor sleeps or waits for something, and gets twice that.
    """
    if wall_s > limit and cpu_s > limit * CPU_SHARE_WHILE_OTHERS_WAIT:
        return (
            f"function_cpu_s: {limit:g} s, of which half counts while other calls wait: they waited for {wall_s:.1f} s, "
            f"it used {cpu_s:.1f} s of CPU time"
        )
    if wall_s > 2 * limit and cpu_s < wall_s * ASLEEP_CPU_SHARE:
        return f"function_wall_s: {2 * limit:g} s while other calls wait; it slept, or waited for something"
    return ""


class Offenders:
    """Functions that keep killing executors are refused for a while, so that they can't starve the others."""

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
