"""Fixtures for official clients: their packages, installed once, and Node programs that talk over pipes."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsers import CHROMIUM as CHROMIUM, browser as browser, rebound_browser as rebound_browser
from support.npm import installed_clients

WAIT_S = 60.0


@pytest.fixture(scope="session")
def node_clients() -> Path:
    """The folder of the Node clients, with their packages installed."""
    return installed_clients()


class NodeProgram:
    """A Node program: commands to its standard input, events from its standard output, one JSON object a line."""

    def __init__(self, folder: Path, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["node", script, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._arrived: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._arrived.put(json.loads(line))
        self._arrived.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self.errors += list(self._process.stderr)

    def command(self, **command: Any) -> None:
        """Send one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def wait(self, event: str, fact: Callable[[Any], bool] = lambda value: True) -> Any:
        """Return the value of the first event of this name, already seen or to come, for which `fact` holds."""
        for seen in self.events:
            if seen["event"] == event and fact(seen["value"]):
                return seen["value"]
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                seen = self._arrived.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                seen = None
            if seen is None:
                raise AssertionError(
                    f"no such {event!r} within {WAIT_S} s; seen: {self.events[-5:]}\n{''.join(self.errors)}"
                )
            self.events.append(seen)
            if seen["event"] == event and fact(seen["value"]):
                return seen["value"]

    def close(self) -> int:
        """End the program; return its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return status


@pytest.fixture
def node(node_clients: Path) -> Iterator[Callable[..., NodeProgram]]:
    """Start Node programs of the clients folder; they end with the test."""
    started: list[NodeProgram] = []

    def start(script: str, *arguments: str) -> NodeProgram:
        program = NodeProgram(node_clients, script, *arguments)
        started.append(program)
        return program

    yield start
    for program in started:
        program.close()
