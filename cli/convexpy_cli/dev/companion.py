"""The companion command of `dev --start`: a front end's dev server, say, in a process group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

STOP_DEADLINE_S = 5.0
_STDERR = 2


class Companion:
    """One running companion command. Its output goes where ours does, or all of it to stderr, where stdout is for events."""

    def __init__(
        self,
        command: str,
        folder: Path,
        variables: Mapping[str, str],
        ended: Callable[[int], None],
        *,
        beside_events: bool = False,
    ) -> None:
        # In a group of its own it is in the background of the terminal, where reading would stop it.
        self._process = subprocess.Popen(
            command,
            shell=True,
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=_STDERR if beside_events else None,
            process_group=0 if os.name == "posix" else None,
        )
        self._ended = ended
        threading.Thread(target=self._wait, daemon=True, name="companion").start()

    def stop(self) -> None:
        """Interrupt it as Ctrl-C would, and kill it if it does not end."""
        self._signal(signal.SIGINT)
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and its children at once."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _wait(self) -> None:
        self._ended(self._process.wait())

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
