"""The server's end of a fork server's control socket: commands out, answers and exit statuses in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from convexpy.errors import Unavailable
from convexpy.executors.connection import ProcessExecutor
from convexpy.limits import FORK_S_MAX, START_S_MAX
from convexpy.protocol.fork_messages import (
    Command,
    Exited,
    Failed,
    Forked,
    Imported,
    Importing,
    Loaded,
    Prepared,
    Report,
    StartExecutor,
    StartTrunk,
    StartVersion,
    encode_message,
    reader_of_reports,
)

STATUS_S_MAX = 1.0
GONE = "the process that starts executors has ended"


def _settle(future: asyncio.Future[Any] | None, result: Any) -> None:
    """Give a future its result, unless who waited for it has gone."""
    if future is not None and not future.done():
        future.set_result(result)


class ForkControl:
    """The server's end of a fork server's control socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._waiting: dict[type[Report], asyncio.Future[Any]] = {}
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._executors: dict[int, ProcessExecutor] = {}
        self._exited: dict[int, int] = {}
        self._counter = 0
        self._changed = asyncio.Event()
        self.ended: bool = False
        self._has_answered = False
        self.importing: str = ""
        """The module of the app that is being imported at the other end, as the developer calls it."""
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        reader = reader_of_reports()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._sock, 1 << 18):
                for report in reader.feed(data):
                    self._take(report)
        self.give_up()

    def give_up(self) -> None:
        """Expect nothing of this process any more: it has ended, or does not answer."""
        self.ended = True
        self._changed.set()
        for future in [*self._waiting.values(), *self._forked.values()]:
            if not future.done():
                future.set_exception(Unavailable(GONE))

    def _take(self, report: Report) -> None:
        self._has_answered = True
        match report:
            case Forked():
                _settle(self._forked.pop(report.id, None), report.pid)
            case Exited():
                executor = self._executors.pop(report.pid, None)
                if executor is not None:
                    executor.exited(report.status)
                else:
                    self._exited[report.pid] = report.status
                    self._changed.set()
            case Importing():
                self.importing = report.module
            case _:
                _settle(self._waiting.pop(type(report), None), report)

    def expect_loaded(self) -> asyncio.Future[Loaded | Failed]:
        """Return the future of the report of how the import of the app ended."""
        future: asyncio.Future[Loaded | Failed] = asyncio.get_running_loop().create_future()
        self._waiting[Loaded] = self._waiting[Failed] = future
        return future

    def expect_prepared(self) -> asyncio.Future[Prepared | Failed]:
        """Return the future of the report of how a trunk has imported what it was to import."""
        future: asyncio.Future[Prepared | Failed] = asyncio.get_running_loop().create_future()
        self._waiting[Prepared] = self._waiting[Failed] = future
        return future

    def expect_imported(self) -> asyncio.Future[Imported]:
        """Return the future of the next report of packages that were imported."""
        future: asyncio.Future[Imported] = asyncio.get_running_loop().create_future()
        self._waiting[Imported] = future
        return future

    async def send_all(self, command: Command) -> None:
        """Send a command that may be large.

        Raises:
            Unavailable: the process has ended.
        """
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, encode_message(command))
        except OSError as error:
            raise Unavailable(GONE) from error

    def send(self, command: Command, descriptors: list[int] | None = None) -> None:
        """Send a command; it is small, so the socket takes it at once."""
        self._sock.setblocking(True)
        try:
            socket.send_fds(self._sock, [encode_message(command)], descriptors or [])
        except OSError as error:
            raise Unavailable(GONE) from error
        finally:
            self._sock.setblocking(False)

    async def fork(self, command: StartTrunk | StartVersion | StartExecutor, descriptors: list[int]) -> int:
        """Have a child forked; return its pid.

        Raises:
            Unavailable: the process has ended, or does not answer; it is given up then.
        """
        self._counter += 1
        number = self._counter
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._forked[number] = future
        command.id = number
        self.send(command, descriptors)
        seconds = FORK_S_MAX if self._has_answered else START_S_MAX
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            self._forked.pop(number, None)
            self.give_up()
            raise Unavailable(
                f"the process that starts executors did not answer within {seconds:g} s"
            ) from None

    def watch(self, executor: ProcessExecutor) -> None:
        """Tell this executor of its exit status."""
        if executor.pid in self._exited:
            executor.exited(self._exited.pop(executor.pid))
        else:
            self._executors[executor.pid] = executor

    async def status_of(self, pid: int) -> int | None:
        """Return the exit status of a child that has ended just now; None if it is not told within a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATUS_S_MAX):
                while pid not in self._exited and not self.ended:
                    self._changed.clear()
                    await self._changed.wait()
        return self._exited.pop(pid, None)

    async def close(self) -> None:
        """Close the socket: the process at the other end exits."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._sock.close()
