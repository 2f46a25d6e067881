"""Mutations that are out of the order of the first lane for a while, and what waits for them.

Those that take long run in the second lane; those that stand in a debugger wait there. The mutations of one client run in the
order in which it sent them: so those behind a call that is aside wait until it is answered, while those of others go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from convexpy.protocol.frames import Call, CallFailure

QUIT = "DebuggerQuit"
PAUSED_MAX = 8
"""How many calls of a kind may stand in a debugger, each in a process of its own; more pass their breakpoints."""


def passing_breakpoints(call: Call) -> Call:
    """Return a call that does not stop, for enough others do."""
    return call if call.breakpoints != "on" else msgspec.structs.replace(call, breakpoints="full")


def run_again(call: Call, failure: CallFailure | None) -> Call | None:
    """Return how a call that was paused, or came too late, is run again; None if its end counts: the debugger was quit.

    The run of a job that was quit is run once more, for the end of the job is to be written.
    """
    was_quit = failure is not None and failure.code == QUIT
    if was_quit and not call.job:
        return None
    return msgspec.structs.replace(call, breakpoints="quit" if was_quit else "off")


@dataclass(slots=True, eq=False)
class Aside:
    """A call that is aside, and the later calls of its client, in order."""

    call: Call
    behind: list[Call] = field(default_factory=list)
    paused: bool = False
    attempts: int = 0

    def hold_later(self, calls: Iterable[Call]) -> list[Call]:
        """Keep those of these later calls that are of the same client; return the others, in order."""
        others: list[Call] = []
        for call in calls:
            is_behind = call.session and call.session == self.call.session
            (self.behind if is_behind else others).append(call)
        return others


class CallsAside:
    """The calls that are aside, from when they leave the order until they are answered."""

    def __init__(self) -> None:
        self._calls: dict[int, Aside] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def __contains__(self, call_id: int) -> bool:
        return call_id in self._calls

    def __getitem__(self, call_id: int) -> Aside:
        return self._calls[call_id]

    def add(self, call: Call) -> Aside:
        """Set a call aside; one that is aside already stays as it is."""
        return self._calls.setdefault(call.id, Aside(call))

    @property
    def too_many_paused(self) -> bool:
        """Whether as many stand still as may."""
        return sum(aside.paused for aside in self._calls.values()) >= PAUSED_MAX

    def holds(self, call: Call) -> bool:
        """Keep a call that has just come if its client waits for one that is aside; say whether that is so."""
        if not self._calls or not call.session:
            return False
        return any(not aside.hold_later((call,)) for aside in self._calls.values())

    def forget(self, call_id: int) -> None:
        """Drop a call that is kept: who asked for it has gone."""
        for aside in self._calls.values():
            aside.behind = [call for call in aside.behind if call.id != call_id]

    def answered(self, call_id: int) -> list[Call]:
        """Forget a call that has its answer; return what may run now."""
        aside = self._calls.pop(call_id, None)
        return [] if aside is None else aside.behind

    def drain(self) -> list[Call]:
        """Return every call that is here: the server is stopping."""
        calls = [call for aside in self._calls.values() for call in (aside.call, *aside.behind)]
        self._calls.clear()
        return calls
