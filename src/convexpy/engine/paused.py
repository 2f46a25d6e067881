"""Mutations that stand in a debugger, and what waits for them.

The mutations of one client run in the order in which it sent them; so those behind a paused one wait for it, while those
of others go on.
"""

from __future__ import annotations

import msgspec

from convexpy.protocol.frames import Call, CallFailure, Result

QUIT = "DebuggerQuit"
PAUSED_MAX = 8
"""How many calls of a kind may stand in a debugger, each in a process of its own; more pass their breakpoints."""


def passing_breakpoints(call: Call) -> Call:
    """Return a call that does not stop, for enough others do."""
    return call if call.breakpoints != "on" else msgspec.structs.replace(call, breakpoints="full")


class PausedMutations:
    """The paused calls, each with the later calls of its client, in order."""

    def __init__(self) -> None:
        self._behind: dict[int, list[Call]] = {}
        self._calls: dict[int, Call] = {}

    def add(self, call: Call) -> None:
        """A call has been paused."""
        self._calls[call.id] = call
        self._behind[call.id] = []

    @property
    def is_full(self) -> bool:
        """Whether as many stand still as may."""
        return len(self._calls) >= PAUSED_MAX

    def holds(self, call: Call) -> bool:
        """Keep a call if its client waits for a paused one; say whether that is so."""
        if not self._calls or not call.session:
            return False
        for paused in self._calls.values():
            if paused.session == call.session:
                self._behind[paused.id].append(call)
                return True
        return False

    def forget(self, call_id: int) -> None:
        """Drop a call that is kept: who asked for it has gone."""
        for number, behind in self._behind.items():
            self._behind[number] = [call for call in behind if call.id != call_id]

    def remove(self, call: Call) -> list[Call]:
        """A paused call is over; return what may run now."""
        self._calls.pop(call.id, None)
        return self._behind.pop(call.id, [])

    def ended(self, call: Call, result: Result) -> tuple[list[Call], CallFailure | None]:
        """Return what is to run now, and the failure of the call if it is not to run again: the debugger was quit."""
        behind = self.remove(call)
        was_quit = result.failure is not None and result.failure.code == QUIT
        if was_quit and not call.job:
            return behind, result.failure
        # The run of a job that was quit is run once more, for the end of the job is to be written.
        again = msgspec.structs.replace(call, breakpoints="quit" if was_quit else "off")
        return [again, *behind], None

    def drain(self) -> list[Call]:
        """Return every call that is here: the server is stopping."""
        calls = [*self._calls.values(), *(call for behind in self._behind.values() for call in behind)]
        self._calls.clear()
        self._behind.clear()
        return calls
