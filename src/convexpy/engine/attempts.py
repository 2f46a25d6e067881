"""Calls whose executor ended under them: how often, and which of them is to blame.

The call marker of an executor names the call that was running. If it names none, any of the unanswered calls may have done it,
by closing a descriptor for instance; so each is run again alone, and the one whose executor ends then was it. A call
whose executor was ended by a signal is given one more attempt, for it may have come from outside. Nobody is to blame
for a database that does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from convexpy.executors.connection import DAMAGED, ended_from_outside
from convexpy.limits import CALL_ATTEMPTS_MAX
from convexpy.protocol.frames import NO_DATABASE, Call


@dataclass(slots=True)
class Verdict:
    """What becomes of the calls of an executor that has ended: failures with their texts, and calls to run again."""

    failed: list[tuple[Call, str]] = field(default_factory=list)
    blamed: Call | None = None
    again: list[Call] = field(default_factory=list)


class Attempts:
    """The calls that an executor has ended under and that have not been answered yet."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._ends)

    def is_suspect(self, call: Call) -> bool:
        """Say whether a call must run alone."""
        return call.id in self._ends

    def answered(self, call_id: int) -> None:
        """Forget a call: it has its answer, or nobody waits for it any more."""
        self._ends.pop(call_id, None)

    def lost(self, reason: str, running: Call | None, others: list[Call]) -> Verdict:
        """Return what becomes of the calls: `running` is the one that the call marker names."""
        verdict = Verdict()
        if reason.startswith(NO_DATABASE):
            self._again(verdict, others if running is None else [running, *others], reason)
        elif running is None:
            if len(others) == 1 and self.is_suspect(others[0]):
                what = (
                    "could not run"
                    if reason.startswith(DAMAGED)
                    else "ended its executor after it had returned"
                )
                text = f"{others[0].path} {what}: {reason}"
                self._blame(verdict, others[0], text)
            else:
                self._again(verdict, others, reason)
        elif ended_from_outside(reason) and not self.is_suspect(running):
            self._again(verdict, [running], reason)
            verdict.again += others
        else:
            text = reason if running.path in reason else f"{running.path} ended its executor: {reason}"
            self._blame(verdict, running, text)
            verdict.again += others
        return verdict

    def _blame(self, verdict: Verdict, call: Call, text: str) -> None:
        self._ends.pop(call.id, None)
        verdict.blamed = call
        verdict.failed.append((call, text))

    def _again(self, verdict: Verdict, calls: list[Call], reason: str) -> None:
        for call in calls:
            ends = self._ends.get(call.id, 0) + 1
            if ends < CALL_ATTEMPTS_MAX:
                self._ends[call.id] = ends
                verdict.again.append(call)
            else:
                self._ends.pop(call.id, None)
                ends_text = f"{CALL_ATTEMPTS_MAX} executors ended under it ({reason})"
                text = f"{call.path} could not run: {reason if reason.startswith(NO_DATABASE) else ends_text}"
                verdict.failed.append((call, text))
