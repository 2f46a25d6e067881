"""The terminal for `breakpoint()`: paused functions connect to a socket of ours, one at a time has the terminal.

A paused function sends one line of JSON (what it is, where it stands), then the bytes of a debugger go both ways. Nothing
of the terminal's modes is changed: it gives whole lines, as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import socket
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy_cli.context import Context
from convexpy_cli.output.base import Output

SOCKET_PATH_MAX = 100
"""Systems take paths of sockets up to 104 bytes, some 108."""
HEAD_S = 2.0
HEAD_BYTES_MAX = 4096
FOREGROUND_CHECK_S = 0.2
KEYS = "c goes on · n next · s step · p EXPR · l source · w where · q ends it · h help"


@dataclass
class _Paused:
    """A function that stands in a debugger."""

    connection: socket.socket
    function: str
    place: str


class DebuggerTerminal:
    """Listens for paused functions, and lends them the terminal. `taken` is told when it is lent and when it is back."""

    def __init__(self, output: Output, stdin: int, stderr: int) -> None:
        self.taken: Callable[[bool], None] = lambda taken: None
        self._output = output
        self._stdin = stdin
        self._stderr = stderr
        self._token = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._path: Path | None = None
        self._listener: socket.socket | None = None
        self._wake, self._wakes = socket.socketpair()
        self._thread: threading.Thread | None = None
        self._active: _Paused | None = None
        self._waiting: deque[_Paused] = deque()

    @classmethod
    def if_somebody_is_there(cls, ctx: Context) -> DebuggerTerminal | None:
        """Return one if stdin and stderr are a terminal and a person reads."""
        if ctx.settings.machine or ctx.settings.no_input or sys.stdin is None or sys.stderr is None:
            return None
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        return cls(ctx.output, sys.stdin.fileno(), sys.stderr.fileno())

    def listen(self, folder: Path) -> str:
        """Begin to listen, with a socket in `folder` if its path is short enough; returns the address."""
        if hasattr(socket, "AF_UNIX"):
            path = folder / "debugger.sock"
            if len(os.fsencode(path)) > SOCKET_PATH_MAX:
                self._folder = tempfile.TemporaryDirectory(prefix="convexpy-")
                path = Path(self._folder.name) / "debugger.sock"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            self._path, address = path, f"unix:{path}"
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            self._token = secrets.token_hex(16)
            address = f"tcp:127.0.0.1:{listener.getsockname()[1]}:{self._token}"
        listener.listen(16)
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, daemon=True, name="debugger")
        self._thread.start()
        return address

    def release(self) -> None:
        """Let functions that are paused go on, and stop to listen, without waiting for it."""
        with contextlib.suppress(OSError):
            self._wakes.send(b"x")

    def close(self) -> None:
        """Stop to listen; functions that are paused go on."""
        self.release()
        if self._thread is not None:
            self._thread.join(timeout=HEAD_S + 1.0)
            self._thread = None
        for each in (self._wake, self._wakes):
            each.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # In the thread

    def _serve(self) -> None:
        assert self._listener is not None  # it was made before the thread
        try:
            while self._turn(self._listener):
                pass
        finally:
            self._listener.close()
            for paused in [*([self._active] if self._active else []), *self._waiting]:
                paused.connection.close()
            if self._active is not None:
                self._active = None
                self._show(b"\n")  # what comes next is no answer to the prompt
                self.taken(False)

    def _turn(self, listener: socket.socket) -> bool:
        """Wait for the next thing to happen, and do it; False when we are closed."""
        watched: list[Any] = [listener, self._wake]
        active, wait_s = self._active, None
        if active is not None:
            watched.append(active.connection)
            if self._has_terminal():
                watched.append(self._stdin)
            else:
                wait_s = FOREGROUND_CHECK_S
        ready = select.select(watched, [], [], wait_s)[0]
        if self._wake in ready:
            return False
        if active is not None and active.connection in ready:
            self._from_debugger(active)
        elif active is not None and self._stdin in ready:
            self._from_person(active)
        if listener in ready:
            self._accept(listener)
        return True

    def _has_terminal(self) -> bool:
        """Say whether we are in the foreground: to read from behind would stop us."""
        try:
            return os.tcgetpgrp(self._stdin) == os.getpgrp()
        except (OSError, AttributeError):
            return True

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        paused = self._met(connection)
        if paused is None:
            connection.close()
        elif self._active is None:
            self._lend(paused)
        else:
            self._waiting.append(paused)
            self._output.note(f"\n  {paused.function} is paused too, at {paused.place}: its turn comes next")

    def _met(self, connection: socket.socket) -> _Paused | None:
        """Read who connects; None if it is nobody of ours."""
        connection.settimeout(HEAD_S)
        head = b""
        try:
            while not head.endswith(b"\n") and len(head) < HEAD_BYTES_MAX:
                part = connection.recv(1)
                if not part:
                    return None
                head += part
            told = json.loads(head)
            if not secrets.compare_digest(str(told["token"]), self._token):
                return None
            paused = _Paused(connection, str(told["function"]), f"{told['file']}:{told['line']}")
        except (OSError, ValueError, KeyError, TypeError):
            return None
        connection.settimeout(None)
        return paused

    def _lend(self, paused: _Paused) -> None:
        self._active = paused
        self.taken(True)
        self._forget_typed()
        self._output.note(f"  paused  {paused.function} at {paused.place}\n  {KEYS}")

    def _forget_typed(self) -> None:
        """What was typed while nobody asked is not meant for the debugger."""
        with contextlib.suppress(ImportError, OSError):
            import termios

            termios.tcflush(self._stdin, termios.TCIFLUSH)

    def _from_debugger(self, active: _Paused) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = active.connection.recv(65536)
        if data:
            self._show(data)
            return
        active.connection.close()
        self._active = None
        if self._waiting:
            self._lend(self._waiting.popleft())
        else:
            self.taken(False)

    def _from_person(self, active: _Paused) -> None:
        try:
            line = os.read(self._stdin, 4096)
        except OSError:
            line = b""
        if not line:
            line = b"q\n"  # Ctrl-D
        with contextlib.suppress(OSError):
            active.connection.sendall(line)

    def _show(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._stderr, data) :]
