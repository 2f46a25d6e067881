"""How debugging ends, or does not begin: the debugger is quit, its terminal has gone, a breakpoint is skipped."""

from __future__ import annotations

from convexpy.sandbox import capture

SKIPPED = "breakpoint() skipped: "


class DebuggerQuit(BaseException):
    """The debugger was quit: the call ends, and no `except Exception` of the function holds it up."""

    def __init__(self) -> None:
        super().__init__("the debugger was quit")


class TerminalGone(Exception):
    """Nobody listens at the address of the debugger."""


def skip(reason: str) -> None:
    """Say once in the log of the running call that a breakpoint did nothing; a limit of logs does not count here."""
    sink = capture.current_sink.get()
    if sink is not None and not any(line.text.startswith(SKIPPED) for line in sink.lines):
        sink.note("WARN", SKIPPED + reason)
