"""The mutation pipeline: one executor, serial and speculative; replies leave when what they rest on is durable.

Steps (ARCHITECTURE.md, section 3):
1. Calls go to the mutation executor in order of arrival.
2. Its results come back in the same order, each with its writes or its failure.
3. Writes join the open group; every reply, failures included, is held until the newest group accepted before it and its
   own are durable.
4. The commit thread appends the group as one row, with one sync.
5. Durable: one callback tells everybody in one turn of the event loop, replies before anything that may cause a
   Transition.
6. Surely not written (disk full): everything after the last durable row is dropped and answered "not committed".
7. Outcome unknown: nobody is answered, the process ends, the next start decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from convexpy.database import CommitOutcomes, Group, GroupCommitter
from convexpy.engine.attempts import Attempts
from convexpy.engine.outcome import Outcome, failed
from convexpy.engine.paused import PausedMutations, passing_breakpoints
from convexpy.engine.slots import CrashLimiter, TransactionSlot, limit_name
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.executors.connection import ExecutorConnection
from convexpy.limits import Knobs
from convexpy.persistence import StoreFull
from convexpy.protocol.frames import (
    Accepted,
    Call,
    CheckpointMoved,
    DropSpeculation,
    OwnCommit,
    Result,
    encode_frame,
)

logger = logging.getLogger("convexpy.deployment")
OnDone = Callable[[Outcome], None]


@dataclass(slots=True)
class _Held:
    """An answer that waits for durability."""

    call: Call
    result: Result
    wrote: bool


class MutationPipeline:
    """Orders mutations, commits their writes in groups and releases their replies."""

    def __init__(
        self,
        timeline: LogTimeline,
        knobs: Knobs,
        *,
        open_committer: Callable[[CommitOutcomes], GroupCommitter],
        committed: Callable[[TailRow], None],
        on_schema_violations: Callable[[list[str]], None],
        on_fatal: Callable[[BaseException], None],
        need_executor: Callable[[], None],
    ) -> None:
        self._on_fatal = on_fatal
        self._timeline = timeline
        self.committer = open_committer(self)
        self._knobs = knobs
        self._committed = committed
        self._on_schema_violations = on_schema_violations
        self._refused: str | None = None
        self._need_executor = need_executor
        self._slot: TransactionSlot | None = None
        self._waiting: deque[Call] = deque()
        self._done: dict[int, OnDone] = {}
        self._held: deque[_Held] = deque()
        self._accepted: dict[int, Result] = {}
        self._accepted_bytes = 0
        self._gathered: list[tuple[int, Result]] = []
        self._epoch = 0
        self._gate_closed = False
        self._on_idle: list[Callable[[], None]] = []
        self._paused = PausedMutations()
        self._attempts = Attempts()
        self.crash_limiter = CrashLimiter()
        self.executors_lost = 0

    # Calls

    @property
    def pids(self) -> list[int]:
        """The process that runs mutations, or none while it is replaced."""
        return [] if self._slot is None or not self._slot.ready else [self._slot.connection.pid]

    def submit(self, call: Call, done: OnDone, *, first: bool = False) -> None:
        """Run a mutation; `done` is called once, when its outcome is final. `first` passes those that wait."""
        if self._refused is not None:
            done(failed("NotCommitted", f"not committed: {self._refused}", function=call.path))
            return
        refusal = self.crash_limiter.refusal(call.path)
        if refusal is not None:
            done(failed("FunctionRefused", refusal, function=call.path))
            return
        if self._timeline.tail_bytes > self._knobs.tail_bytes_max:
            text = "the checkpoint has fallen behind: the limit tail_bytes_max is reached; try again"
            done(failed("CommitterFullError", text, function=call.path, limit="tail_bytes_max"))
            return
        self._done[call.id] = done
        if self._paused.holds(call):
            return
        if first:
            self._waiting.appendleft(call)
        else:
            self._waiting.append(call)
        self._pump(force=first)

    def _pump(self, *, force: bool = False) -> None:
        slot = self._slot
        while (
            self._waiting
            and slot is not None
            and slot.ready
            and (force or not self._gate_closed)
            and self._accepted_bytes < self._knobs.speculative_bytes_max
        ):
            if self._attempts and slot.sent and self._runs_alone(slot, self._waiting[0]):
                break
            call = self._waiting.popleft()
            slot.call(passing_breakpoints(call) if self._paused.is_full else call)
            if force:
                break

    def _runs_alone(self, slot: TransactionSlot, call: Call) -> bool:
        """Say whether a call must wait for those under way: it, or the one that runs, may have ended an executor."""
        return any(map(self._attempts.is_suspect, (call, *slot.sent.values())))

    def forget(self, call_id: int) -> None:
        """Drop a call that has not been sent yet: who asked for it has gone."""
        self._done.pop(call_id, None)
        self._attempts.answered(call_id)
        self._waiting = deque(call for call in self._waiting if call.id != call_id)
        self._paused.forget(call_id)

    def raise_ts(self, ts: int) -> None:
        """Make later commits later than `ts`, which a client has seen."""
        self.committer.raise_ts(ts)
        self._timeline.ts = max(self._timeline.ts, ts)

    # The executor

    def attach(self, connection: ExecutorConnection, *, follows: bool = False) -> None:
        """Give the role to this executor, which has said `Ready`: rows, then accepted writes, then the calls.

        One that `follows` has been sent every row already.
        """
        slot = TransactionSlot(
            connection,
            self._knobs,
            on_ready=lambda _: None,
            on_result=self._result,
            on_lost=self._lost,
            on_paused=self._pause,
        )
        slot.ready = True
        if not follows:
            for row in self._timeline.tail:
                connection.send_later(row.frame)
        if self._epoch:
            slot.send(DropSpeculation(self._epoch))
        for call_id, result in self._accepted.items():
            slot.send(Accepted(call_id, result.writes, result.max_creation_time))
        self._slot = slot
        self._pump()

    def detach(self) -> None:
        """Take the role away from the present executor; nothing may be under way."""
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()

    def _lost(self, slot: TransactionSlot, reason: str, blamed: Call | None, innocent: list[Call]) -> None:
        if slot is not self._slot:
            return
        self._slot = None
        self.executors_lost += 1
        verdict = self._attempts.lost(reason, blamed, innocent)
        if verdict.blamed is not None:
            self.crash_limiter.killed(verdict.blamed.path, reason)
        for call, text in verdict.failed:
            outcome = failed("ExecutorLost", text, function=call.path, limit=limit_name(reason), lost=True)
            self._hold(_Held(call, _failed_result(call, self._epoch, outcome), wrote=False))
        # Nothing of them had left the process, so sending them again is exactly once.
        self._waiting.extendleft(reversed(verdict.again))
        self._need_executor()

    # Debugging

    def _pause(self, slot: TransactionSlot, call: Call) -> None:
        """A mutation stands in a debugger: a spare takes the role, and goes on from what is accepted."""
        behind = slot.set_apart(call, self._went_on, self._ended_paused)
        self._paused.add(call)
        if slot is self._slot:
            self._slot = None
            self._need_executor()
        self._waiting = deque(each for each in [*behind, *self._waiting] if not self._paused.holds(each))
        self._check_idle()

    def _went_on(self, slot: TransactionSlot, call: Call, result: Result) -> None:
        """A paused mutation has ended. Others may have overtaken it, so it is run again, and that counts."""
        slot.close()
        again, failure = self._paused.ended(call, result)
        if failure is not None:
            self._hold(_Held(call, _failed_result(call, self._epoch, Outcome(failure=failure)), wrote=False))
        self._waiting.extendleft(reversed(again))
        self._pump()

    def _ended_paused(
        self, slot: TransactionSlot, reason: str, blamed: Call | None, others: list[Call]
    ) -> None:
        self.executors_lost += 1
        for call in [*([] if blamed is None else [blamed]), *others]:
            text = f"{call.path} ended its executor while it was debugged: {reason}"
            outcome = failed("ExecutorLost", text, function=call.path, lost=True)
            self._hold(_Held(call, _failed_result(call, self._epoch, outcome), wrote=False))
            self._waiting.extendleft(reversed(self._paused.remove(call)))
        self._pump()

    # Results and commits

    def _result(self, slot: TransactionSlot, call: Call, result: Result) -> None:
        if result.epoch != self._epoch:
            return
        if result.violations:
            self._on_schema_violations(result.violations)
        if result.writes:
            self._accepted[call.id] = result
            self._accepted_bytes += len(result.writes)
            self._gather(call.id, result)
        self._hold(_Held(call, result, wrote=bool(result.writes)))
        if self._attempts:
            self._attempts.answered(call.id)
            self._pump()

    def _gather(self, call_id: int, result: Result) -> None:
        """Submit at the end of this turn of the loop, so that what the executor sent in one piece is one group.

        Submitted one by one, the first would wake the commit thread, which would take the interpreter away from here
        and sync it alone.
        """
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._submit_gathered)
        self._gathered.append((call_id, result))

    def _submit_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        for call_id, result in gathered:
            self.committer.submit(call_id, result.writes, result.max_creation_time)

    def _hold(self, held: _Held) -> None:
        self._held.append(held)
        if not self._accepted:
            self._release()

    def committed(self, group: Group) -> None:
        """A group is durable (called on the event loop by the commit thread's callback)."""
        assert group.row is not None  # only calls that wrote are submitted
        results = [self._accepted.pop(call_id) for call_id in group.calls]
        self._accepted_bytes -= sum(len(result.writes) for result in results)
        row = self._timeline.append(group.row, [result.writes for result in results])
        if self._slot is not None:
            own = OwnCommit(row.seq, row.ts, group.calls[-1])
            self._slot.connection.send_later(encode_frame(own))
        # Streams and dirty marks first, replies next, ticks in a later turn of the loop: so a reply precedes every
        # Transition that covers it, and what a client asks after its reply sees its write.
        self._committed(row)
        self._release(set(group.calls), row.ts, row.seq)
        self._pump()

    def _release(self, durable: set[int] | None = None, ts: int = 0, row: int = 0) -> None:
        """Send the replies that rest on durable rows only, in order."""
        while self._held:
            held = self._held[0]
            if held.wrote and (durable is None or held.call.id not in durable):
                break
            self._held.popleft()
            result = held.result
            reply_ts = ts if held.wrote else result.replayed_ts or self._timeline.ts
            self._finish(
                held.call,
                Outcome(
                    result.value,
                    result.failure,
                    result.logs,
                    reply_ts,
                    row or self._timeline.row,
                    result,
                    result.seconds,
                ),
            )
        self._check_idle()

    def _finish(self, call: Call, outcome: Outcome) -> None:
        self._attempts.answered(call.id)
        done = self._done.pop(call.id, None)
        if done is not None:
            done(outcome)

    def full(self, calls: list[int], error: StoreFull) -> None:
        """These calls are surely not in the log (commit thread's callback): go back to the last durable row."""
        self._refused = f"the log cannot be written: {error}"
        self._take_back(self._refused)
        self.committer.resume()

    def available(self) -> None:
        """The log takes writes again (commit thread's callback)."""
        self._refused = None

    def unknown(self, error: BaseException) -> None:
        """Whether the last group is in the log is not known (commit thread's callback)."""
        logger.critical("the outcome of a commit is unknown, stopping: %s", error)
        self._on_fatal(error)

    def _take_back(self, reason: str) -> None:
        self._epoch += 1
        held, self._held = self._held, deque()
        self._gathered.clear()
        self._accepted.clear()
        self._accepted_bytes = 0
        unanswered: list[Call] = []
        if self._slot is not None:
            unanswered = list(self._slot.sent.values())
            self._slot.sent.clear()
            self._slot.send(DropSpeculation(self._epoch))
        for call in [*(entry.call for entry in held), *unanswered]:
            self._finish(call, failed("NotCommitted", f"not committed: {reason}", function=call.path))
        self._check_idle()

    def checkpointed(self, seq: int) -> None:
        """Tell the executor that the checkpoint has moved."""
        if self._slot is not None:
            self._slot.send(CheckpointMoved(seq))

    # The gate, for a change of version

    @property
    def idle(self) -> bool:
        """Whether no call is with the executor and every answer has left."""
        return not self._held and not self._accepted and (self._slot is None or not self._slot.sent)

    def close_gate(self, when_idle: Callable[[], None]) -> None:
        """Hold new mutations; call `when_idle` when those under way are durable and answered."""
        self._gate_closed = True
        self._on_idle.append(when_idle)
        self._check_idle()

    def open_gate(self) -> None:
        """Let the held mutations run."""
        self._gate_closed = False
        self._pump()

    def _check_idle(self) -> None:
        if self._on_idle and self.idle:
            callbacks, self._on_idle = self._on_idle, []
            for callback in callbacks:
                callback()

    def abandon(self, outcome: Outcome) -> None:
        """Answer everything that waits: the server is stopping."""
        waiting, self._waiting = self._waiting, deque()
        for call in [*waiting, *self._paused.drain()]:
            self._finish(call, replace_failure(outcome, call.path))


def replace_failure(outcome: Outcome, path: str) -> Outcome:
    """Return the same failure for another function."""
    assert outcome.failure is not None
    return Outcome(failure=msgspec.structs.replace(outcome.failure, function=path))


def _failed_result(call: Call, epoch: int, outcome: Outcome) -> Result:
    return Result(
        call.id, epoch, b"null", outcome.failure, [], [], False, False, b"", 0.0, None, 0.0, 0, 0, 0, 0
    )  # fmt: skip
