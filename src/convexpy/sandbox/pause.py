"""The debugger of a paused call: Python's own, over a socket, with the frames and file names of the developer.

Loaded at the first pause of a process. Modules of the app carry the developer's names (`convex/messages.py`), and their
lines are in `linecache` since they were loaded, so what is shown is what runs, whatever is in the file by now.
"""

from __future__ import annotations

import bdb
import contextlib
import linecache
import os
import pdb  # noqa: T100 - this is the debugger
import socket
from types import FrameType, TracebackType
from typing import Any, Protocol

from convexpy.protocol.frames import Breakpoints
from convexpy.sandbox.debugger_ends import DebuggerQuit, TerminalGone, skip

HIDDEN = [
    "__main__",
    "convexpy",
    "convexpy.*",
    "asyncio",
    "asyncio.*",
    "threading",
    "contextvars",
    "runpy",
    "msgspec",
    "msgspec.*",
]
"""Modules whose frames are neither stopped in nor shown."""


class PausedCall(Protocol):
    """The call that is debugged."""

    breakpoints: Breakpoints

    def connect(self, frame: FrameType, line: int) -> socket.socket:
        """Ask for the terminal, or raise TerminalGone."""
        ...

    def goes_on(self) -> None:
        """Note that the function runs again."""
        ...


class _Link:
    """Input and output of the debugger: whatever connection the call has just now; a closed one is the end of input."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self._received = b""

    def open(self, connection: socket.socket) -> None:
        self._connection, self._received = connection, b""

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def readline(self) -> str:
        while b"\n" not in self._received:
            part = b""
            if self._connection is not None:
                with contextlib.suppress(OSError):
                    part = self._connection.recv(4096)
            if not part:
                return ""
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r") + "\n"

    def write(self, text: str) -> int:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.sendall(text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


class Debugger(pdb.Pdb):
    """One call's debugger. It asks for the terminal when it stops, and gives it back when the function goes on."""

    def __init__(self, call: PausedCall) -> None:
        self._call = call
        self._link = _Link()
        link: Any = self._link  # a file as far as pdb needs one
        super().__init__(stdin=link, stdout=link, skip=HIDDEN, nosigint=True)

    # Stopping and going on

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Trace; quitting is an error of ours, which says what happened."""
        try:
            return super().trace_dispatch(frame, event, arg)
        except bdb.BdbQuit:
            raise DebuggerQuit from None

    def interaction(self, frame: FrameType | None, *args: Any, **kwargs: Any) -> None:
        """Ask for commands, with the terminal; without one, go on."""
        if not self._link.is_open and frame is not None:
            try:
                self._link.open(self._call.connect(frame, frame.f_lineno))
            except TerminalGone:
                skip("the terminal of `convexpy dev` has gone")
                self._stop_no_more()
                return
        super().interaction(frame, *args, **kwargs)

    def set_continue(self) -> None:
        """Let the function run, and give the terminal back."""
        super().set_continue()
        self._release()

    def set_quit(self) -> None:
        """End the function, and give the terminal back."""
        super().set_quit()
        self._release()

    def end(self) -> None:
        """The call is over."""
        self.clear_all_breaks()
        self._release()

    def _release(self) -> None:
        if self._link.is_open:
            self._link.close()
            self._call.goes_on()

    def _stop_no_more(self) -> None:
        self._call.breakpoints = "off"
        self.clear_all_breaks()
        self.set_continue()

    # Commands

    def do_EOF(self, arg: str) -> bool:  # noqa: N802 - the name that pdb looks for
        """Go on to the end: nobody is at the other end any more."""
        self._stop_no_more()
        return True

    def do_run(self, arg: str) -> None:
        """Say that a call is not run again from here."""
        self.error("a call is not run again from here: call the function again")

    do_restart = do_run

    def do_interact(self, arg: str) -> None:
        """Say that there is no prompt of this kind."""
        self.error("not here: type Python after the prompt, with ! in front where it looks like a command")

    # Frames and files

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """Return the frames of the app, outermost first."""
        stack, index = super().get_stack(f, t)
        chosen = stack[index][0] if stack else None
        shown = [(frame, line) for frame, line in stack if frame is chosen or self._is_of_the_function(frame)]
        return shown, next((at for at, (frame, _) in enumerate(shown) if frame is chosen), 0)

    def stop_here(self, frame: FrameType) -> bool:
        """Stop in the app and in what it calls; not in what is called around it."""
        return super().stop_here(frame) and self._is_of_the_function(frame)

    def _is_of_the_function(self, frame: FrameType | None) -> bool:
        while frame is not None and not self.is_skipped_module(frame.f_globals.get("__name__", "")):
            if _is_of_the_app(frame.f_code.co_filename):
                return True
            frame = frame.f_back
        return False

    def canonic(self, filename: str) -> str:
        """Keep the developer's file names as they are."""
        return filename if _is_of_the_app(filename) else super().canonic(filename)

    def lookupmodule(self, filename: str) -> str | None:
        """Find `convex/messages.py` by that name, or by the end of it."""
        wanted = filename if filename.endswith(".py") else filename + ".py"
        for name in linecache.cache:
            if _is_of_the_app(name) and (name == wanted or name.endswith("/" + wanted)):
                return name
        return super().lookupmodule(filename)


def _is_of_the_app(filename: str) -> bool:
    return filename in linecache.cache and not filename.startswith((os.sep, "<")) and filename.endswith(".py")
