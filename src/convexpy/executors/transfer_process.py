"""Processes that read or write whole deployments, so that the server's own loop never does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from convexpy.errors import Error

LINE_BYTES_MAX = 64 * 1024 * 1024


class TransferWorker:
    """One process with one job; ends with `end`, or when this process does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, job: dict[str, Any]) -> TransferWorker:
        """Start `python -m module` and tell it its job."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,
        )
        worker = cls(process)
        await worker.send(job)
        return worker

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended: reading says how
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            await self._process.stdin.drain()

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield its messages up to `done` or `faults`.

        Raises:
            Error: it failed, or ended without a word.
        """
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message: dict[str, Any] = msgspec.json.decode(line)
            if "failed" in message:
                raise Error(message["failed"]["message"], code=message["failed"]["code"])
            yield message
            if "done" in message or "faults" in message:
                return
        raise Error(f"the worker ended early, with status {await self._process.wait()}", code="WorkerLost")

    async def end(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
