"""The query dispatcher: queries run in parallel on several executors, each call at the row where its stream stands.

A result carries the row it was computed at and its read set; rows committed meanwhile are checked against that read set
before anybody relies on the result. No checkpoint may pass the row of the oldest call without an answer, or one call
would read two moments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from convexpy.engine.aside import PAUSED_MAX, passing_breakpoints
from convexpy.engine.attempts import Attempts
from convexpy.engine.outcome import Outcome, failed
from convexpy.engine.slots import CrashLimiter, TransactionSlot, limit_name
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.executors.connection import ExecutorConnection
from convexpy.limits import Knobs
from convexpy.protocol.frames import Call, CheckpointMoved, Result
from convexpy.runtime import Signal

OnQueryDone = Callable[[Outcome, bool], None]


@dataclass(slots=True)
class _Query:
    call: Call
    done: OnQueryDone
    row: int = 0
    ts: int = 0
    paused: bool = False


class QueryDispatcher:
    """Sends each query to the executor with the least to do."""

    def __init__(
        self,
        timeline: LogTimeline,
        knobs: Knobs,
        *,
        need_executor: Callable[[], None],
        crash_limiter: CrashLimiter | None = None,
    ) -> None:
        self._timeline = timeline
        self._knobs = knobs
        self._need_executor = need_executor
        self._slots: list[TransactionSlot] = []
        self._queries: dict[int, _Query] = {}
        self._waiting: deque[_Query] = deque()
        self.paused_calls: set[int] = set()
        """The calls that stand in a debugger."""
        self.when_paused: Signal[[]] = Signal()
        self._attempts = Attempts()
        self.crash_limiter: CrashLimiter = crash_limiter or CrashLimiter()
        self.executors_lost: int = 0
        timeline.keep_for(self._oldest_row)

    @property
    def executors(self) -> int:
        """How many executors can take queries now."""
        return len(self._slots)

    @property
    def lacks_executor(self) -> bool:
        """Whether calls wait and there is no executor at all."""
        return bool(self._waiting) and not self._slots

    @property
    def pids(self) -> list[int]:
        """The processes that run queries."""
        return [slot.connection.pid for slot in self._slots]

    def submit(self, call: Call, done: OnQueryDone) -> int:
        """Run a query; `done` gets the outcome and whether a later row has already touched what it read.

        Returns the row it runs at, or 0 while it waits for an executor.
        """
        refusal = self.crash_limiter.refusal(call.path)
        query = _Query(call, done)
        if refusal is not None:
            query.row, query.ts = self._timeline.row, self._timeline.ts
            outcome = failed("FunctionRefused", refusal, function=call.path)
            outcome.row, outcome.ts = query.row, query.ts
            self._later(done, outcome)
            return query.row
        self._queries[call.id] = query
        self._send(query)
        return query.row

    @staticmethod
    def _later(done: OnQueryDone, outcome: Outcome) -> None:
        import asyncio

        asyncio.get_running_loop().call_soon(done, outcome, False)

    def _send(self, query: _Query) -> None:
        self._waiting.append(query)
        if self._slots:
            self._send_waiting()
        else:
            self._need_executor()

    def _send_waiting(self) -> None:
        """Send what waits, in order; a query that may have ended an executor waits for an idle one, and has it alone."""
        while self._waiting and self._slots:
            slots = self._slots
            slot = slots[0] if len(slots) == 1 else min(slots, key=lambda candidate: len(candidate.sent))
            query = self._waiting[0]
            if self._attempts and slot.sent:
                suspects = map(self._attempts.is_suspect, (query.call, *slot.sent.values()))
                if any(suspects):
                    return
            self._waiting.popleft()
            query.row, query.ts, query.paused = self._timeline.row, self._timeline.ts, False
            slot.call(query.call if len(self.paused_calls) < PAUSED_MAX else passing_breakpoints(query.call))

    # Executors

    def attach(self, connection: ExecutorConnection) -> None:
        """Add an executor that has said `Ready`."""
        slot = TransactionSlot(
            connection,
            self._knobs,
            on_result=self._result,
            on_lost=self._lost,
            on_paused=self._paused,
        )
        for row in self._timeline.tail:
            connection.send_later(row.frame)
        self._slots.append(slot)
        self._send_waiting()

    def lend(self) -> ExecutorConnection | None:
        """Give up an executor that has nothing to do, and has been sent every row; None if all are busy."""
        slot = next((slot for slot in self._slots if not slot.sent), None)
        if slot is not None:
            self._slots.remove(slot)
        return None if slot is None else slot.connection

    def retire_all(self) -> list[TransactionSlot]:
        """Send nothing more to the present executors; each is closed when its calls have ended."""
        slots, self._slots = self._slots, []
        for slot in slots:
            self._close_when_done(slot)
        return slots

    def _close_when_done(self, slot: TransactionSlot) -> None:
        if not slot.sent:
            slot.close()
        else:
            slot.retiring = True

    def row(self, row: TailRow) -> None:
        """Write a durable row to every stream."""
        for slot in self._slots:
            slot.connection.send_later(row.frame)
        if self._timeline.crowded:
            self._timeline.forget_old()

    def checkpointed(self, seq: int) -> None:
        """Tell the executors that the checkpoint has moved."""
        for slot in self._slots:
            slot.send(CheckpointMoved(seq))

    def _oldest_row(self) -> int:
        """Return the row of the oldest query without an answer, or the newest row.

        One that stands in a debugger holds nothing up: it has said so with its read transaction open.
        """
        rows = [query.row for query in self._queries.values() if query.row and not query.paused]
        return min(rows, default=self._timeline.row)

    def _result(self, slot: TransactionSlot, call: Call, result: Result) -> None:
        query = self._queries.pop(call.id, None)
        if slot.retiring and not slot.sent:
            slot.close()
        if self._waiting or self._attempts:
            self._attempts.answered(call.id)
            self._send_waiting()
        if query is None:
            return
        if query.paused:
            self.paused_calls.discard(call.id)
            stale = not self._timeline.unchanged_since(query.ts, result.reads)
        else:
            stale = self._timeline.touched_since(query.row, result.reads)
        self._finish(
            query,
            Outcome(result.value, result.failure, result.logs, query.ts, query.row, result, result.seconds),
            stale=stale,
        )

    def _finish(self, query: _Query, outcome: Outcome, *, stale: bool) -> None:
        if self._timeline.crowded:
            self._timeline.forget_old()
        query.done(outcome, stale)

    def _lost(self, slot: TransactionSlot, reason: str, blamed: Call | None, innocent: list[Call]) -> None:
        self.executors_lost += 1
        if blamed is not None:
            self.paused_calls.discard(blamed.id)
        if slot in self._slots:
            self._slots.remove(slot)
            self._need_executor()
        verdict = self._attempts.lost(reason, blamed, innocent)
        if verdict.blamed is not None:
            self.crash_limiter.killed(verdict.blamed.path, reason)
        for call, text in verdict.failed:
            query = self._queries.pop(call.id, None)
            if query is None:
                continue
            outcome = failed("ExecutorLost", text, function=call.path, limit=limit_name(reason), lost=True)
            outcome.row, outcome.ts = query.row, query.ts
            self._finish(query, outcome, stale=False)
        for call in verdict.again:
            query = self._queries.get(call.id)
            if query is not None:
                self._send(query)

    # Debugging

    def _paused(self, slot: TransactionSlot, call: Call) -> None:
        """A query stands in a debugger: a spare takes its executor's place."""
        query = self._queries.get(call.id)
        if query is not None:
            query.paused = True
            self.paused_calls.add(call.id)
            self.when_paused()
        for innocent in self._without(slot, call):
            waiting = self._queries.get(innocent.id)
            if waiting is not None:
                self._send(waiting)

    def _without(self, slot: TransactionSlot, call: Call) -> list[Call]:
        """Take a slot out of the role, all but its paused call; return the calls behind that."""
        slot.retiring = True
        if slot in self._slots:
            self._slots.remove(slot)
            self._need_executor()
        return slot.set_apart(call, self._result, self._lost)
