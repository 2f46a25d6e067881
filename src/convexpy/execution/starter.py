"""Starting executors with a fork server (Linux).

`start_version` imports one version of the app and describes it; the handle it returns starts executors on that version.
`spares.py` does the same with fresh interpreters, where `fork` does not exist or is unsafe.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from convexpy.errors import ProjectError, SourceLocation, Unavailable
from convexpy.execution import word
from convexpy.execution.connection import ExecutorConnection, ProcessExecutor, Role
from convexpy.execution.settings import ExecutorSettings, encode_settings

START_TIMEOUT_S = 60.0
# What executors see of the server's environment: no keys, no database addresses.
ENVIRONMENT_KEPT = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH", "SYSTEMROOT", "CONVEXPY_PAUSE", "COVERAGE_PROCESS_START",
)  # fmt: skip


class VersionHandle(Protocol):
    """One version of the app, imported and ready to start executors."""

    description: dict[str, Any]

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Start an executor; it sends `Ready` when it can be sent calls."""
        ...

    async def retire(self) -> None:
        """Start no more executors; those that run go on."""
        ...


class Starter(Protocol):
    """A way to start executors."""

    async def start_version(self, settings: ExecutorSettings, env: Mapping[str, str]) -> VersionHandle:
        """Import a version and describe it.

        Raises:
            ProjectError: the app does not import, or defines something that makes no sense.
        """
        ...

    async def close(self) -> None:
        """End every process that was started."""
        ...


def executor_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of executors: a whitelist of the server's own, then the deployment's variables."""
    kept = {name: os.environ[name] for name in ENVIRONMENT_KEPT if name in os.environ}
    return {**kept, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **env}


def raise_failure(error: dict[str, Any]) -> None:
    """Raise the error that a process which imports the app has reported."""
    location = error.get("location")
    raise ProjectError(
        error["message"],
        code=error["code"],
        hint=error.get("hint"),
        location=SourceLocation(**location) if location else None,
        data=error.get("data"),
    )


def _settle(future: asyncio.Future[Any] | None, result: Any) -> None:
    """Give a future its result, unless who waited for it has gone."""
    if future is not None and not future.done():
        future.set_result(result)


class _Control:
    """The server's end of a fork server's control socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._buffer = bytearray()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._executors: dict[int, ProcessExecutor] = {}
        self._exited: dict[int, int] = {}
        self._counter = 0
        self.ended = False
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._sock, 1 << 18):
                self._buffer += data
                while len(self._buffer) >= 4:
                    size = int.from_bytes(self._buffer[:4], "little")
                    if len(self._buffer) < 4 + size:
                        break
                    message = json.loads(bytes(self._buffer[4 : 4 + size]))
                    del self._buffer[: 4 + size]
                    self._take(message)
        self.ended = True
        error = Unavailable("the process that starts executors has ended")
        for future in [*self._waiting.values(), *self._forked.values()]:
            if not future.done():
                future.set_exception(error)

    def _take(self, message: dict[str, Any]) -> None:
        if "forked" in message:
            _settle(self._forked.pop(message["id"], None), message["forked"])
        elif "exit" in message:
            executor = self._executors.pop(message["exit"], None)
            if executor is not None:
                executor.exited(message["status"])
            else:
                self._exited[message["exit"]] = message["status"]
        else:
            for name in ("loaded", "failed", "imported"):
                future = self._waiting.pop(name, None) if name in message else None
                _settle(future, message)

    def expect(self, *names: str) -> asyncio.Future[Any]:
        """Return the future of the next message that has one of these keys."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        for name in names:
            self._waiting[name] = future
        return future

    def send(self, command: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a command; it is small, so the socket takes it at once."""
        body = json.dumps(command).encode()
        self._sock.setblocking(True)
        try:
            socket.send_fds(self._sock, [len(body).to_bytes(4, "little") + body], descriptors or [])
        except OSError as error:
            raise Unavailable("the process that starts executors has ended") from error
        finally:
            self._sock.setblocking(False)

    async def fork(self, command: dict[str, Any], descriptors: list[int]) -> int:
        """Have a child forked; return its pid."""
        self._counter += 1
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._forked[self._counter] = future
        self.send({**command, "id": self._counter}, descriptors)
        async with asyncio.timeout(START_TIMEOUT_S):
            return await future

    def watch(self, executor: ProcessExecutor) -> None:
        """Tell this executor of its exit status."""
        if executor.pid in self._exited:
            executor.exited(self._exited.pop(executor.pid))
        else:
            self._executors[executor.pid] = executor

    async def close(self) -> None:
        """Close the socket: the process at the other end exits."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._sock.close()


class ForkVersion:
    """A version process: a fork of the base that has imported the app."""

    def __init__(self, control: _Control, pid: int, description: dict[str, Any]) -> None:
        self._control = control
        self.pid = pid
        self.description = description

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Fork an executor."""
        ours, theirs = socket.socketpair()
        descriptor = word.create()
        try:
            pid = await self._control.fork({"op": "executor", "role": role}, [theirs.fileno(), descriptor])
            executor = ProcessExecutor(pid, word.Word(descriptor))
        finally:
            theirs.close()
            os.close(descriptor)
        self._control.watch(executor)
        await executor.attach(ours)
        return executor

    async def retire(self) -> None:
        """Close the control socket; the process and, by its end, its executors are gone then."""
        await self._control.close()


class ForkStarter:
    """Starts executors through a fork server, which is started again whenever the deployment's variables change."""

    def __init__(self) -> None:
        self._base: _Control | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._env: dict[str, str] = {}
        self._packages: set[str] = set()
        self._unsafe: set[str] = set()
        self._lock = asyncio.Lock()

    async def start_version(self, settings: ExecutorSettings, env: Mapping[str, str]) -> VersionHandle:
        """Fork a version process and wait until it has imported the app."""
        async with self._lock:
            base = await self._ensure_base(dict(env))
        ours, theirs = socket.socketpair()
        control = _Control(ours)
        answer = control.expect("loaded", "failed")
        try:
            pid = await base.fork(
                {"op": "version", "settings": encode_settings(settings).decode()}, [theirs.fileno()]
            )
        finally:
            theirs.close()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                message = await answer
        except BaseException:
            await control.close()
            raise
        if "failed" in message:
            await control.close()
            raise_failure(message["failed"])
        return ForkVersion(control, pid, message["loaded"])

    async def warm(self, packages: list[str]) -> None:
        """Import the app's third-party packages in the base, so that the next push finds them imported."""
        async with self._lock:
            new = [name for name in packages if name not in self._packages and name not in self._unsafe]
            if not new or self._base is None or self._base.ended:
                return
            self._packages.update(new)
            answer = self._base.expect("imported")
            self._base.send({"op": "import", "modules": new})
            async with asyncio.timeout(START_TIMEOUT_S):
                message = await answer
            if message["unsafe"]:
                self._unsafe.update(message["unsafe"])
                self._packages.difference_update(message["unsafe"])
                await self._stop_base()

    async def _ensure_base(self, env: dict[str, str]) -> _Control:
        if self._base is not None and not self._base.ended and env == self._env:
            return self._base
        await self._stop_base()
        ours, theirs = socket.socketpair()
        self._env = env
        self._process = subprocess.Popen(
            [sys.executable, "-m", "convexpy.execution.forkserver", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=executor_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._base = _Control(ours)
        if self._packages:
            answer = self._base.expect("imported")
            self._base.send({"op": "import", "modules": sorted(self._packages)})
            async with asyncio.timeout(START_TIMEOUT_S):
                await answer
        return self._base

    async def _stop_base(self) -> None:
        """Give the base up. Versions forked from it would die with it, so it is only closed, and ends when they have."""
        base, self._base = self._base, None
        process, self._process = self._process, None
        if base is not None:
            await base.close()
        if process is not None:
            _retired.append(process)

    async def close(self) -> None:
        """End the fork server, and with it every version and executor."""
        await self._stop_base()
        while _retired:
            process = _retired.pop()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


_retired: list[subprocess.Popen[bytes]] = []
