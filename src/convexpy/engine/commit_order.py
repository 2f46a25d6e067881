"""The one order of all mutations: writes become durable in groups, replies leave when what they rest on is durable.

1. What has run is taken, in order: its writes join the open group, its reply is held, failures included, until the newest group
   taken before it and its own are durable.
2. The committer appends the group as one row, with one sync.
3. Durable: one callback tells everybody in one turn of the event loop, replies before anything that may cause a
   Transition.
4. Surely not written (disk full): everything after the last durable row is dropped and answered "not committed".
5. Outcome unknown: nobody is answered, the process ends, the next start decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from convexpy.database import CommitOutcomes, Group, GroupCommitter
from convexpy.engine.outcome import Outcome, failed
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.persistence import StoreFull
from convexpy.protocol.frames import Call, Result

logger: logging.Logger = logging.getLogger("convexpy.deployment")


@dataclass(slots=True)
class _Held:
    """An answer that waits for durability; `result` is None if the server itself made it."""

    call: Call
    result: Result | None
    outcome: Outcome | None
    wrote: bool


class CommitOrder:
    """Commits the writes of mutations in groups and releases their replies.

    `committed` gets each durable row and the last call in it, `answer` each call with its outcome, `released` is told after
    that. `dropped` gets the reason and the calls whose writes are surely not in the log, when it cannot be written.
    """

    def __init__(
        self,
        timeline: LogTimeline,
        *,
        open_committer: Callable[[CommitOutcomes], GroupCommitter],
        committed: Callable[[TailRow, int], None],
        answer: Callable[[Call, Outcome], None],
        released: Callable[[], None],
        dropped: Callable[[str, list[Call]], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self.committer: GroupCommitter = open_committer(self)
        self.refused: str | None = None
        """Why nothing can be committed at present."""
        self.accepted: dict[int, Result] = {}
        """What was taken and wrote something, and is not durable yet, in order."""
        self.accepted_bytes: int = 0
        self._timeline = timeline
        self._committed = committed
        self._answer = answer
        self._released = released
        self._dropped = dropped
        self._on_fatal = on_fatal
        self._held: deque[_Held] = deque()
        self._gathered: list[tuple[int, Result]] = []

    @property
    def is_idle(self) -> bool:
        """Whether every answer has left."""
        return not self._held and not self.accepted

    @property
    def unanswered(self) -> list[Call]:
        """The calls whose answers are held, in order."""
        return [held.call for held in self._held]

    def take(self, call: Call, result: Result) -> None:
        """A call is the next in the order: its writes join the open group, its reply is held."""
        wrote = bool(result.writes)
        if wrote:
            self.accepted[call.id] = result
            self.accepted_bytes += len(result.writes)
            self._gather(call.id, result)
        self._held.append(_Held(call, result, None, wrote))
        if not self.accepted:
            self._release()

    def fail(self, call: Call, outcome: Outcome) -> None:
        """A call has failed outside of its executor: that waits like any answer."""
        self._held.append(_Held(call, None, outcome, wrote=False))
        if not self.accepted:
            self._release()

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
        self.committer.submit_all(
            (call_id, result.writes, result.max_creation_time) for call_id, result in gathered
        )

    def _release(self, durable: set[int] | None = None, ts: int = 0, row: int = 0) -> None:
        """Send the replies that rest on durable rows only, in order."""
        while self._held:
            held = self._held[0]
            if held.wrote and (durable is None or held.call.id not in durable):
                break
            self._held.popleft()
            at_row, result = row or self._timeline.row, held.result
            if result is None:
                assert held.outcome is not None  # one of them is there
                outcome = held.outcome
                outcome.ts, outcome.row = self._timeline.ts, at_row
            else:
                reply_ts = ts if held.wrote else result.replayed_ts or self._timeline.ts
                outcome = Outcome(
                    result.value, result.failure, result.logs, reply_ts, at_row, result, result.seconds
                )
            self._answer(held.call, outcome)
        self._released()

    # What the committer tells

    def committed(self, group: Group) -> None:
        """A group is durable (told on the event loop)."""
        assert group.row is not None  # only calls that wrote are submitted
        results = [self.accepted.pop(call_id) for call_id in group.calls]
        self.accepted_bytes -= sum(len(result.writes) for result in results)
        row = self._timeline.append(group.row, [result.writes for result in results])
        # Streams and dirty marks first, replies next, ticks in a later turn of the loop: so a reply precedes every
        # Transition that covers it, and what a client asks after its reply sees its write.
        self._committed(row, group.calls[-1])
        self._release(set(group.calls), row.ts, row.seq)

    def full(self, calls: list[int], error: StoreFull) -> None:
        """These calls are surely not in the log (told on the event loop): go back to the last durable row."""
        self.refused = f"the log cannot be written: {error}"
        unanswered, self._held = self.unanswered, deque()
        self._gathered.clear()
        self.accepted.clear()
        self.accepted_bytes = 0
        self._dropped(self.refused, unanswered)
        self.committer.resume()

    def available(self) -> None:
        """The log takes writes again (told on the event loop)."""
        self.refused = None

    def unknown(self, error: BaseException) -> None:
        """Whether the last group is in the log is not known (told on the event loop)."""
        logger.critical("the outcome of a commit is unknown, stopping: %s", error)
        self._on_fatal(error)


def not_committed(call: Call, reason: str) -> Outcome:
    """Return the outcome of a call whose writes are surely not in the log."""
    return failed("NotCommitted", f"not committed: {reason}", function=call.path)
