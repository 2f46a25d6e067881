"""What the processes for imports and exports share: lines of JSON in and out, and an end when the server has gone."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

MEMORY_BYTES = 768 * 1024 * 1024
PROGRESS_EVERY_S = 0.3


class ServerLine:
    """The line to the server. A thread of its own reads, so that the end of the server ends this process at once."""

    def __init__(self) -> None:
        self._said = 0.0
        self._heard: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self._heard.put(line)
        os._exit(0)

    def receive(self) -> Any:
        """Wait for the server's next message."""
        return msgspec.json.decode(self._heard.get())

    def send(self, **message: Any) -> None:
        """Send a message."""
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    def progress(self, **fields: Any) -> None:
        """Say how far the work is, a few times a second at most."""
        now = time.monotonic()
        if now - self._said >= PROGRESS_EVERY_S:
            self._said = now
            self.send(progress=fields)


def run_child(work: Callable[[ServerLine, Any], None]) -> None:
    """Do the job that the first line tells; an error that it raises is said, and only then does the process end.

    Memory is bounded: what comes here has been sent by somebody.
    """
    from convexpy.errors import Error

    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    line = ServerLine()
    try:
        work(line, line.receive())
    except Error as error:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        line.send(failed={"code": error.code, "message": message})
    except MemoryError:
        line.send(
            failed={"code": "LimitExceeded", "message": "it needs more memory than the server gives it"}
        )
    except OSError as error:
        line.send(failed={"code": "StorageFull", "message": f"the server's disk refused: {error}"})
    sys.stdout.flush()
