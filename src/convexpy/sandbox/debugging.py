"""`breakpoint()` in functions: a pause that the server is request of, and a debugger in the terminal of `convexpy dev`.

Executors have no terminal. `dev` listens on a socket and passes its address to the server that it starts; without one
(production, or no terminal) `breakpoint()` leaves a line in the log of the call and does nothing else.

A transaction that was paused is the last one of its executor: others have taken what waited behind it. An action goes on
in its executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any

from convexpy.protocol.frames import Breakpoints, Call, Paused, ToExecutor
from convexpy.sandbox import guards
from convexpy.sandbox.debugger_ends import DebuggerQuit, TerminalGone, skip

if TYPE_CHECKING:
    from convexpy.sandbox.pause import Debugger

CONNECT_S = 5.0
QUIT = "DebuggerQuit"


class DebuggedCall:
    """A running call whose breakpoints count. `notify` sends a frame to the server, at once."""

    def __init__(self, call: Call, address: str, notify: Callable[[Paused], None]) -> None:
        self.id: int = call.id
        self.path: str = call.path
        self.breakpoints: Breakpoints = call.breakpoints
        self.was_paused: bool = False
        self._address = address
        self._notify = notify
        self._debugger: Debugger | None = None
        self._thread = 0

    def stop_at(self, frame: FrameType) -> None:
        """Begin to debug at the next line of a frame; what it raises is for the function."""
        if self.breakpoints == "quit":
            raise DebuggerQuit
        if self.breakpoints == "full":
            skip("many calls are paused already")
        if self.breakpoints in ("off", "full"):
            return
        debugger = self._debugger
        if debugger is None:
            with guards.unguarded():
                from convexpy.sandbox.pause import Debugger

                debugger = self._debugger = Debugger(self)
        self._thread = threading.get_ident()
        debugger.set_trace(frame)

    def connect(self, frame: FrameType, line: int) -> socket.socket:
        """Ask for the terminal, and notify the server of the pause; it may be another call's turn for a while.

        Raises:
            TerminalGone: `dev` does not listen any more.
        """
        with guards.unguarded():
            try:
                connection = _connect(self._address)
                request = {
                    "token": _token(self._address),
                    "function": self.path,
                    "file": frame.f_code.co_filename,
                    "line": line,
                }
                connection.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise TerminalGone(str(error)) from error
            self.was_paused = True
            self._notify(Paused(self.id, True, _runs_a_loop()))
        return connection

    def goes_on(self) -> None:
        """Tell the server that the function runs again."""
        self._notify(Paused(self.id, False, _runs_a_loop()))

    def end(self) -> None:
        """The call has ended: nothing is traced any more, the terminal is free."""
        debugger, self._debugger = self._debugger, None
        if debugger is not None:
            if self._thread == threading.get_ident():
                sys.settrace(None)
            debugger.end()


current: ContextVar[DebuggedCall | None] = ContextVar("convexpy_debugged_call", default=None)


class TransactionsDebugged:
    """Stands before an executor for transactions: makes each call a `DebuggedCall`, and ends the process after a pause."""

    def __init__(
        self,
        handle: Callable[[ToExecutor], None],
        address: str,
        notify: Callable[[Paused], None],
    ) -> None:
        self._handle = handle
        self._address = address
        self._notify = notify

    def handle(self, frame: ToExecutor) -> None:
        """Hand a frame on.

        Raises:
            SystemExit: the call was paused; the server has given what comes next to another executor.
        """
        if not isinstance(frame, Call):
            self._handle(frame)
            return
        call = DebuggedCall(frame, self._address, self._notify)
        token = current.set(call)
        try:
            self._handle(frame)
        finally:
            current.reset(token)
            call.end()
        if call.was_paused:
            raise SystemExit(0)


def install(address: str) -> None:
    """Decide what `breakpoint()` does in this process from now on; `address` is that of a terminal, or empty."""

    def hook(*args: Any, **kwargs: Any) -> None:
        call = current.get()
        if call is None:
            reason = "no call of a function is running here" if address else "no terminal of `convexpy dev`"
            skip(reason)
        else:
            call.stop_at(sys._getframe(1))

    sys.breakpointhook = hook


def _runs_a_loop() -> bool:
    """Say whether this thread runs an event loop, which stands still meanwhile."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return True
    return False


# Addresses: `unix:PATH`, or `tcp:HOST:PORT:TOKEN` where there are no sockets in the file system.


def _connect(address: str) -> socket.socket:
    kind, _, rest = address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
    else:
        host, port, _ = rest.split(":")
        connection = socket.create_connection((host, int(port)), CONNECT_S)
    connection.settimeout(None)
    os.set_inheritable(connection.fileno(), False)
    return connection


def _token(address: str) -> str:
    return address.rpartition(":")[2] if address.startswith("tcp:") else ""
