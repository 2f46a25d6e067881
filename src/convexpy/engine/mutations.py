"""The mutation pipeline: calls go to one of two lanes, and what has run is taken into the one order (`commit_order.py`).

The first lane is one executor: calls go to it in order of arrival, each runs on the state that the one before it left,
durable or not, and its results come back in the same order. The second lane (`second_lane.py`) runs what takes long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from convexpy.database import CommitOutcomes, GroupCommitter
from convexpy.engine.aside import CallsAside, passing_breakpoints, run_again
from convexpy.engine.attempts import Attempts
from convexpy.engine.commit_order import CommitOrder, not_committed
from convexpy.engine.outcome import Outcome, failed
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.second_lane import SecondLane
from convexpy.engine.slots import CrashLimiter, TransactionSlot, limit_name
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.executors.connection import ExecutorConnection
from convexpy.limits import SLOW_MUTATION_LOOK_S, SLOW_MUTATION_MOVES_S, SLOW_MUTATION_S, Knobs
from convexpy.protocol.frames import (
    Accepted,
    Call,
    CheckpointMoved,
    DropSpeculation,
    OwnCommit,
    Result,
    encode_frame,
)

OnDone = Callable[[Outcome], None]


class MutationPipeline:
    """Runs mutations, in an order that every client sees alike."""

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
        slow_mutations: QueryDispatcher,
    ) -> None:
        """`slow_mutations` has the executor of the second lane."""
        self._timeline = timeline
        self._knobs = knobs
        self._committed = committed
        self._on_schema_violations = on_schema_violations
        self._need_executor = need_executor
        self._slot: TransactionSlot | None = None
        self._waiting: deque[Call] = deque()
        self._done: dict[int, OnDone] = {}
        self._epoch = 0
        self._gate_closed = self._is_stopping = False
        self._on_lane_lost: Callable[[], None] | None = None
        self._on_idle: list[Callable[[], None]] = []
        self._looking: asyncio.TimerHandle | None = None
        self._moves_from_s = 0.0
        self._order = order = CommitOrder(
            timeline,
            open_committer=open_committer,
            committed=self._durable,
            answer=self._finish,
            released=self._released,
            dropped=self._take_back,
            on_fatal=on_fatal,
        )
        self.committer: GroupCommitter = order.committer
        self._aside = CallsAside()
        self._second = SecondLane(
            timeline,
            slow_mutations,
            order,
            self._aside,
            is_unanswered=self._done.__contains__,
            accept=self._accept,
            answer=self._finish,
            on_ended=self._pump,
        )
        self._pace = self._second.pace
        self._attempts = Attempts()
        self.crash_limiter: CrashLimiter = slow_mutations.crash_limiter
        self.executors_lost: int = 0

    # Calls

    @property
    def pids(self) -> list[int]:
        """The process that runs mutations, or none while it is replaced."""
        return [] if self._slot is None else [self._slot.connection.pid]

    def submit(self, call: Call, done: OnDone, *, first: bool = False) -> None:
        """Run a mutation; `done` is called once, when its outcome is final. `first` passes those that wait."""
        if self._order.refused is not None:
            done(not_committed(call, self._order.refused))
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
        if self._aside.holds(call):
            return
        if first:
            self._waiting.appendleft(call)
        else:
            self._waiting.append(call)
        self._pump(force=first)

    def _pump(self, *, force: bool = False) -> None:
        slot, second = self._slot, self._second
        if second.ended and (slot is None or not slot.sent):
            self._waiting.extendleft(second.settle(one_lane=self._on_lane_lost is not None))
            self._check_idle()
        while (
            self._waiting
            and slot is not None
            and (force or not self._gate_closed)
            and not second.ended
            and self._order.accepted_bytes < self._knobs.speculative_bytes_max
        ):
            if self._pace.slow and self._is_for_second_lane(self._waiting[0]):
                self._run_beside(self._waiting.popleft())
                continue
            if self._attempts and slot.sent and self._runs_alone(slot, self._waiting[0]):
                break
            call = self._waiting.popleft()
            slot.call(passing_breakpoints(call) if self._aside and self._aside.too_many_paused else call)
            if self._looking is None:
                self._look_soon()
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
        self._aside.forget(call_id)

    def raise_ts(self, ts: int) -> None:
        """Make later commits later than `ts`, which a client has seen."""
        self.committer.raise_ts(ts)
        self._timeline.ts = max(self._timeline.ts, ts)

    # The executor of the first lane

    def attach(self, connection: ExecutorConnection, *, follows: bool = False) -> None:
        """Give the role to this executor, which has said `Ready`: rows, then accepted writes, then the calls.

        One that `follows` has been sent every row already.
        """
        slot = TransactionSlot(
            connection,
            self._knobs,
            on_result=self._result,
            on_lost=self._lost,
            on_paused=self._pause,
        )
        if not follows:
            for row in self._timeline.tail:
                connection.send_later(row.frame)
        if self._epoch:
            slot.send(DropSpeculation(self._epoch))
        for call_id, result in self._order.accepted.items():
            slot.send(Accepted(call_id, result.writes, result.max_creation_time))
        self._slot = slot
        self._pump()

    def detach(self) -> None:
        """Take the role away from the present executor; nothing may be under way."""
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()

    def _leave_role(self) -> None:
        self._slot = None
        if self._on_lane_lost is not None:
            self._on_lane_lost()

    def _result(self, slot: TransactionSlot, call: Call, result: Result) -> None:
        if result.epoch != self._epoch:
            return
        averages_s = self._pace.averages_s
        if result.seconds > SLOW_MUTATION_S or (averages_s and call.path in averages_s):
            self._pace.note(call.path, result.seconds)
        if result.violations:
            self._on_schema_violations(result.violations)
        self._order.take(call, result)
        if self._attempts or self._second.ended:
            self._attempts.answered(call.id)
            self._pump()

    def _lost(self, slot: TransactionSlot, reason: str, blamed: Call | None, innocent: list[Call]) -> None:
        if slot is not self._slot:
            return
        self._leave_role()
        self.executors_lost += 1
        verdict = self._attempts.lost(reason, blamed, innocent)
        if verdict.blamed is not None:
            self.crash_limiter.killed(verdict.blamed.path, reason)
            if limit_name(reason).startswith("function_"):
                self._pace.note(verdict.blamed.path, self._knobs.function_cpu_s)
        for call, text in verdict.failed:
            self._fail_lost(call, text, limit_name(reason))
        # Nothing of them had left the process, so sending them again is exactly once.
        self._waiting.extendleft(reversed(verdict.again))
        self._need_executor()

    def _fail_lost(self, call: Call, text: str, limit: str = "") -> None:
        self._order.fail(call, failed("ExecutorLost", text, function=call.path, limit=limit, lost=True))

    # The second lane

    def _is_for_second_lane(self, call: Call) -> bool:
        return call.path in self._pace.slow and call.id not in self._aside and self._on_lane_lost is None

    def _run_beside(self, call: Call) -> None:
        """Run a call in the second lane, when the calls of its client before it are answered; those behind wait for it."""
        aside = self._aside.add(call)
        before = 0
        if call.session:
            self._waiting = deque(aside.hold_later(self._waiting))
            sent = () if self._slot is None else self._slot.sent.values()
            for each in (*self._order.unanswered, *sent):
                if each.session == call.session:
                    before = each.id
        self._second.run(call, after=before)

    def _accept(self, call: Call, result: Result) -> None:
        """What has ended in the second lane is next in the order of all."""
        if result.writes and self._slot is not None:
            self._slot.send(Accepted(call.id, result.writes, result.max_creation_time))
        self._order.take(call, result)

    def _look_soon(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(SLOW_MUTATION_LOOK_S, self._look)

    def _look(self) -> None:
        """Move a call that takes long, and holds up others, to the second lane: it begins again there.

        Its executor is ended, and another takes the role, with all calls that have no answer yet.
        """
        self._looking = None
        slot = self._slot
        if slot is None or not slot.sent or self._gate_closed:
            return
        now_s = asyncio.get_running_loop().time()
        others_wait = len(slot.sent) > 1 or bool(self._waiting)
        may_move = others_wait and now_s >= self._moves_from_s and self._on_lane_lost is None
        long = slot.runs_long(SLOW_MUTATION_S) if may_move else None
        if long is None or long.id in self._aside or not self._pace.counts(long.path):
            self._look_soon()
            return
        self._slot, self._moves_from_s = None, now_s + SLOW_MUTATION_MOVES_S
        self._pace.note_long(long.path)
        self._waiting.extendleft(reversed(slot.give_up(f"{long.path} takes long")))
        self._need_executor()

    @contextmanager
    def one_lane(self, on_lost: Callable[[], None]) -> Generator[None]:
        """Run everything in the first lane: only its executor knows what a push that is under way asks of writes.

        `on_lost` is called if that executor ends meanwhile, or stands in a debugger.
        """
        self._on_lane_lost = on_lost
        try:
            yield
        finally:
            self._on_lane_lost = None

    # Debugging

    def _pause(self, slot: TransactionSlot, call: Call) -> None:
        """A mutation stands in a debugger: a spare takes the role, and goes on from what is accepted."""
        behind = slot.set_apart(call, self._went_on, self._ended_paused)
        aside = self._aside.add(call)
        aside.paused = True
        if slot is self._slot:
            self._leave_role()
            self._need_executor()
        self._waiting = deque(aside.hold_later([*behind, *self._waiting]))
        self._check_idle()

    def _went_on(self, slot: TransactionSlot, call: Call, result: Result) -> None:
        """A paused mutation has ended. Others may have overtaken it, so it is run again, and that counts."""
        slot.close()
        self._aside[call.id].paused = False
        again = run_again(call, result.failure)
        if again is None:
            self._order.fail(call, Outcome(failure=result.failure))
        else:
            self._waiting.appendleft(again)
        self._pump()

    def _ended_paused(
        self, slot: TransactionSlot, reason: str, blamed: Call | None, others: list[Call]
    ) -> None:
        self.executors_lost += 1
        for call in [*([] if blamed is None else [blamed]), *others]:
            self._fail_lost(call, f"{call.path} ended its executor while it was debugged: {reason}")

    # Commits

    def _durable(self, row: TailRow, last_call: int) -> None:
        if self._slot is not None:
            self._slot.connection.send_later(encode_frame(OwnCommit(row.seq, row.ts, last_call)))
        self._committed(row)

    def _finish(self, call: Call, outcome: Outcome) -> None:
        self._attempts.answered(call.id)
        done = self._done.pop(call.id, None)
        if done is not None:
            done(outcome)
        if self._aside:
            self._go_on(call)

    def _go_on(self, call: Call) -> None:
        """A call is answered: what has waited for that may run."""
        self._second.answered(call.id)
        self._waiting.extendleft(reversed(self._aside.answered(call.id)))

    def _released(self) -> None:
        self._check_idle()
        if self._waiting or self._second.ended:
            self._pump()

    def _take_back(self, reason: str, held: list[Call]) -> None:
        """The log cannot be written: everything after the last durable row is void."""
        self._epoch += 1
        unanswered: list[Call] = []
        if self._slot is not None:
            unanswered = list(self._slot.sent.values())
            self._slot.sent.clear()
            self._slot.send(DropSpeculation(self._epoch))
        for call in [*held, *unanswered]:
            self._finish(call, not_committed(call, reason))
        self._released()

    def checkpointed(self, seq: int) -> None:
        """Tell the executor that the checkpoint has moved."""
        if self._slot is not None:
            self._slot.send(CheckpointMoved(seq))

    # The gate, for a change of version

    @property
    def idle(self) -> bool:
        """Whether no call is with the executor and every answer has left."""
        return (
            self._order.is_idle
            and (self._slot is None or not self._slot.sent)
            and (self._second.is_idle or not self._is_stopping)
        )

    def close_gate(self, when_idle: Callable[[], None], *, stopping: bool = False) -> None:
        """Hold new mutations; call `when_idle` when those under way are durable and answered.

        Those in the second lane only count when the server is `stopping`: a change of version overtakes them.
        """
        self._gate_closed, self._is_stopping = True, stopping
        self._on_idle.append(when_idle)
        self._check_idle()

    def open_gate(self) -> None:
        """Let the held mutations run."""
        self._gate_closed = self._is_stopping = False
        self._pump()

    def _check_idle(self) -> None:
        if self._on_idle and self.idle:
            callbacks, self._on_idle = self._on_idle, []
            for callback in callbacks:
                callback()

    def abandon(self, code: str, detail: str) -> None:
        """Answer everything that waits: the server is stopping."""
        waiting, self._waiting = self._waiting, deque()
        under_way = {call.id for call in self._order.unanswered}
        under_way.update(() if self._slot is None else self._slot.sent)
        for call in [*waiting, *self._aside.drain()]:
            if call.id not in under_way:
                self._finish(call, failed(code, detail, function=call.path))
