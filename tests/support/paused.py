"""The other end of `breakpoint()`: a socket that paused functions connect to, and a test that types."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

PROMPT = "(Pdb) "
WAIT_S = 60.0


class PausedFunction:
    """One function that has connected."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(WAIT_S)
        self.connection = connection
        self.stream = connection.makefile("rb")
        self.shown = self._read = ""
        self.head: dict[str, Any] = json.loads(self.stream.readline())

    def read_prompt(self) -> str:
        """Return what is shown up to the next prompt; fail if the function goes on instead."""
        assert self.prompts_again(), f"the function went on: {self.shown!r}"
        return self.shown

    def prompts_again(self) -> bool:
        """Read up to the next prompt, or to the end; say which it was."""
        while PROMPT not in self._read:
            part = self.stream.read1(4096)
            if not part:
                self.shown = self._read
                return False
            self._read += part.decode()
        self.shown, _, self._read = self._read.partition(PROMPT)
        return True

    def type(self, command: str) -> str:
        """Type a command; return its answer."""
        self.send(command)
        return self.read_prompt()

    def send(self, command: str) -> None:
        """Type a command that has no further prompt."""
        self.connection.sendall(command.encode() + b"\n")

    def goes_on(self, command: str = "c") -> None:
        """Type a command and see the terminal given back."""
        self.send(command)
        while self.stream.read1(4096):
            pass
        self.close()

    def close(self) -> None:
        """Close our end, as a `dev` that has gone."""
        self.stream.close()
        self.connection.close()


class DebuggerSocket:
    """Listens as `convexpy dev` does."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "d.sock"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.address = f"unix:{path}"
        self._met: list[PausedFunction] = []

    def next(self, within_s: float = WAIT_S) -> PausedFunction:
        """Return the next function that pauses."""
        self.listener.settimeout(within_s)
        paused = PausedFunction(self.listener.accept()[0])
        self._met.append(paused)
        return paused

    def is_quiet(self, for_s: float) -> bool:
        """Say whether no function pauses for so long."""
        self.listener.settimeout(for_s)
        until = time.monotonic() + for_s
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return time.monotonic() >= until - 0.05
        return False

    def close(self) -> None:
        """Stop to listen."""
        self.listener.close()
        for paused in self._met:
            paused.close()
        self._folder.cleanup()
