"""Projects served by `convexpy dev`, as a developer does it."""

from __future__ import annotations

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from harness.servers import environment

WAIT_S = 60.0


def cli(*arguments: str, cwd: Path) -> None:
    """Run one command of the command line."""
    command = [sys.executable, "-m", "convexpy_cli", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class Dev:
    """`convexpy dev --json`, its events and its process."""

    def __init__(self, project: Path, *arguments: str) -> None:
        command = [
            sys.executable, "-m", "convexpy_cli", "dev", "--json", "--typecheck", "disable",
            "--port", str(free_port()), "--site-port", str(free_port()), *arguments,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=project, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._events: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        server = self.until("server")[1]
        self.port: int = urlsplit(server["url"]).port or 0
        self.until("pushed")

    @property
    def pid(self) -> int:
        """The root of the process tree."""
        return self.process.pid

    def _read(self) -> None:
        assert self.process.stdout is not None  # piped
        for line in self.process.stdout:
            self._events.put((time.perf_counter(), json.loads(line)))

    def until(self, name: str) -> tuple[float, dict[str, Any]]:
        """Return when the next event of this name came, and the event."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                at, event = self._events.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise SystemExit(f"no event {name!r} from dev within {WAIT_S:.0f} s") from None
            if event["event"] == name:
                return at, event
            if event["event"] in ("pushFailed", "stopped"):
                raise SystemExit(f"dev: {event}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
