"""The second lane: mutations that take long run beside the others, in an executor of their own.

Such a call runs on durable commits, as a query does, and reports what it read and what it would write. When it has ended, the
pipeline sends nothing to the first lane until everything there is answered; then all that was accepted since the call began is
known here. If nothing of it is in the read set, the writes are accepted next, as if the call had only run now. Otherwise
it runs again, and after `ATTEMPTS_MAX` attempts in the first lane.

A commit that changes tables, indexes, code or variables is in every read set.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from convexpy.database import DEFINING_TABLETS, written_keys
from convexpy.engine.aside import CallsAside, run_again
from convexpy.engine.commit_order import CommitOrder, not_committed
from convexpy.engine.outcome import Outcome
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.timeline import LogTimeline, Reads
from convexpy.limits import SECOND_LANE_ATTEMPTS_MAX, SECOND_LANE_IDLE_S, SLOW_MUTATION_S
from convexpy.protocol.frames import Call, Result
from convexpy.protocol.system.data import InsertDocuments
from convexpy.protocol.system.imports import AppendToTable, FillTablet
from convexpy.protocol.system.shell import EvaluateWrites

SYSTEM_PATHS = frozenset(call.path for call in (InsertDocuments, AppendToTable, FillTablet, EvaluateWrites))
"""The functions of the engine that may run beside others; the order of the rest counts."""
_WEIGHT = 0.25
_DEFINITIONS = [(-tablet, b"", None) for tablet in DEFINING_TABLETS]


class Pace:
    """Which functions take long: more than `SLOW_MUTATION_S` on average, where newer runs count more."""

    def __init__(self) -> None:
        self.averages_s: dict[str, float] = {}
        """Of the functions that have taken long of late; those of others are near zero."""
        self.slow: set[str] = set()

    @staticmethod
    def counts(path: str) -> bool:
        """Say whether a function may run in the second lane at all."""
        return not path.startswith("_") or path in SYSTEM_PATHS

    def note(self, path: str, seconds: float) -> None:
        """Note how long a run has taken."""
        if not self.counts(path):
            return
        average_s = self.averages_s.get(path, 0.0)
        average_s += _WEIGHT * (seconds - average_s)
        self.averages_s[path] = average_s
        if average_s > SLOW_MUTATION_S:
            self.slow.add(path)
            return
        self.slow.discard(path)
        if average_s < SLOW_MUTATION_S / 4:
            del self.averages_s[path]

    def note_long(self, path: str) -> None:
        """Note that a run was ended because it took long: nobody knows how long it would have taken."""
        self.note(path, 2 * SLOW_MUTATION_S / _WEIGHT)


class Ended(NamedTuple):
    """A call of the second lane that has ended, and how; whether that counts is yet to be seen."""

    call: Call
    outcome: Outcome


class SecondLane:
    """Runs mutations beside the first lane, each on commits that hold the one before: they do not overtake each other.

    `accept` gets what is next in the order, `answer` what is not to be.
    """

    def __init__(
        self,
        timeline: LogTimeline,
        dispatcher: QueryDispatcher,
        order: CommitOrder,
        aside: CallsAside,
        *,
        is_unanswered: Callable[[int], bool],
        accept: Callable[[Call, Result], None],
        answer: Callable[[Call, Outcome], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._timeline = timeline
        self._dispatcher = dispatcher
        self._order = order
        self._aside = aside
        self._is_unanswered = is_unanswered
        self._accept = accept
        self._answer = answer
        self._on_ended = on_ended
        self._waiting: deque[tuple[Call, int]] = deque()
        self._under_way: set[int] = set()
        self._idle: asyncio.TimerHandle | None = None
        self.pace: Pace = Pace()
        self.ended: deque[Ended] = deque()
        """What waits until all calls of the first lane are answered."""
        dispatcher.when_paused.connect(self._advance)

    @property
    def _is_free(self) -> bool:
        return self._under_way <= self._dispatcher.paused_calls

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs here or waits to, but for what stands in a debugger."""
        return self._is_free and not self._waiting

    def run(self, call: Call, *, after: int) -> None:
        """Run a call when it is its turn, and another one is answered, which may be so already."""
        self._waiting.append((call, after))
        self._advance()

    def answered(self, call_id: int) -> None:
        """A call of either lane has its answer: the next may begin, on commits that hold it."""
        self._under_way.discard(call_id)
        self._advance()

    def _advance(self) -> None:
        """Begin the next call that may begin, if none is under way but in a debugger."""
        if not self._waiting or not self._is_free:
            return
        ready = (place for place, (_, after) in enumerate(self._waiting) if not self._is_unanswered(after))
        place = next(ready, None)
        if place is None:
            return
        call = self._waiting[place][0]
        del self._waiting[place]
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._under_way.add(call.id)
        beside = msgspec.structs.replace(call, beside=True)
        self._dispatcher.submit(beside, partial(self._end, call))

    def _end(self, call: Call, outcome: Outcome, stale: bool) -> None:
        if outcome.result is not None:
            self.pace.note(call.path, outcome.seconds)
        self.ended.append(Ended(call, outcome))
        if self._idle is None:
            # An executor costs memory, and few apps need this one all the time.
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(SECOND_LANE_IDLE_S, self._dispatcher.retire_all)
        self._on_ended()

    def settle(self, *, one_lane: bool) -> list[Call]:
        """Accept what has ended, or run it again; all calls of the first lane must have been answered.

        Returns the calls that are to run in the first lane, newest first: all that were overtaken, if there is but one.
        """
        for_first: list[Call] = []
        while self.ended:
            call, outcome = self.ended.popleft()
            result = outcome.result
            if not self._is_unanswered(call.id):
                self._answer(call, outcome)  # nobody waits for it any more, or the server is stopping
            elif result is None:
                self._order.fail(call, outcome)
            elif result.writes and self._order.refused is not None:
                self._answer(call, not_committed(call, self._order.refused))
            elif result.writes and (one_lane or self._is_overtaken(outcome.row, result)):
                again = run_again(call, result.failure)
                assert again is not None  # where a debugger was quit, only a job has writes
                aside = self._aside[call.id]
                aside.attempts += 1
                if one_lane or aside.attempts >= SECOND_LANE_ATTEMPTS_MAX:
                    for_first.append(again)
                else:
                    self._waiting.appendleft((again, next(reversed(self._order.accepted), 0)))
                self.answered(call.id)  # as far as this lane is concerned
            else:
                self._accept(call, result)
        return for_first

    def _is_overtaken(self, row: int, result: Result) -> bool:
        """Say whether something was accepted since log position `row` that this run has read, durable or not."""
        ranges = [*result.reads, *_DEFINITIONS]
        if not self._timeline.untouched_since(row, ranges):
            return True
        reads = Reads(ranges)
        return any(reads.touched_by(written_keys(other.writes)) for other in self._order.accepted.values())
