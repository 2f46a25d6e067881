"""A command at a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


class Terminal:
    """A command whose stdin and stderr are a terminal; its stdout is a pipe, or with `screen` the terminal, too.

    With `controlling`, Ctrl-C is a signal, as it is in a window.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        controlling: bool = False,
        screen: bool = False,
        columns: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        import fcntl
        import pty
        import termios

        self._ours, theirs = pty.openpty()
        if columns is not None:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", *arguments],
            cwd=folder,
            stdin=theirs,
            stderr=theirs,
            stdout=theirs if screen else subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
        )
        os.close(theirs)
        self.shown = ""
        self.seen = ""

    def wait_for(self, text: str, deadline_s: float = 30.0) -> None:
        """Wait until a text is shown, and go on behind it."""
        until = time.monotonic() + deadline_s
        while text not in self._plain():
            left = until - time.monotonic()
            assert left > 0, f"{text!r} did not come: {self._plain()!r}"
            if select.select([self._ours], [], [], left)[0]:
                part = os.read(self._ours, 65536).decode(errors="replace")
                self.shown += part
                self.seen += part
                if "\x1b[6n" in part:
                    # A real terminal says where the cursor is.
                    self.type("\x1b[1;1R")
        self.shown = self.shown.partition(text)[2] or ""

    def read_all(self, deadline_s: float = 30.0) -> str:
        """Return all that was shown when the command, and all that it started, has left the terminal."""
        until = time.monotonic() + deadline_s
        while select.select([self._ours], [], [], max(0.0, until - time.monotonic()))[0]:
            try:
                part = os.read(self._ours, 65536)
            except OSError:  # nobody has it open any more
                break
            self.seen += part.decode(errors="replace")
        return self.seen

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._ours, text.encode())

    def close(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and what came on stdout."""
        try:
            out, _ = self.process.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, _ = self.process.communicate()
        os.close(self._ours)
        return self.process.returncode, (out or b"").decode()

    def _plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown)
