"""The deployment's log lines beside the watch loop: held back while a push is under way, none dropped."""

from __future__ import annotations

import threading
from typing import Any

from convexpy.client import AdminClient, DeploymentError
from convexpy_cli.logs.entries import lines_of
from convexpy_cli.output.base import Output

PAUSE_S = 1.0


class LogTail:
    """Follows the logs in a thread of its own."""

    def __init__(self, client: AdminClient, output: Output, mode: str) -> None:
        self._client = client
        self._output = output
        self._hold_during_push = mode == "pause-on-deploy"
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._held: list[dict[str, Any]] = []
        self._reasons: set[str] = set()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="follow logs")

    def start(self) -> None:
        """Begin with what is logged from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for the request that is open."""
        self._stop.set()
        self._client.abort()
        self._thread.join(timeout=2.0)
        self._client.close()

    def push_begins(self) -> None:
        """Hold lines back until `push_ends`."""
        if self._hold_during_push:
            self.hold("push")

    def push_ends(self) -> None:
        """Show what was held back, in order."""
        self.release("push")

    def hold(self, reason: str) -> None:
        """Hold lines back until there is no reason any more."""
        with self._lock:
            self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """Show what was held back, unless there is another reason to hold it."""
        with self._lock:
            self._reasons.discard(reason)
            if self._reasons:
                return
            held, self._held = self._held, []
            for entry in held:
                self._show(entry)

    def _follow(self) -> None:
        cursor: float | None = None
        while not self._stop.is_set():
            try:
                page = self._client.logs(cursor or 0.0)
            except (DeploymentError, OSError, ValueError):
                # The server restarts, or we are stopping; the cursor makes sure that nothing is lost or repeated.
                self._stop.wait(PAUSE_S)
                continue
            if self._stop.is_set():
                return  # `stop` came between two requests, so this one was not aborted; the output has ended
            entries = page.entries if cursor is not None else []
            cursor = page.cursor
            for entry in entries:
                self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        with self._lock:
            if self._reasons:
                self._held.append(entry)
            else:
                self._show(entry)

    def _show(self, entry: dict[str, Any]) -> None:
        self._output.event("log", entry=entry)
        for line in lines_of(entry):
            self._output.log_line(line.text, line.level, head=line.head)
