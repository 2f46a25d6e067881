"""Starting executors as fresh interpreters, where `fork` does not exist or is unsafe.

An interpreter takes long to start, so some wait as *spares*: they have imported what every executor needs and the app's
third-party packages, and are told their role and version when one is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from convexpy.executors.base_process import run_as
from convexpy.executors.connection import ExecutorConnection, ProcessExecutor, describe_exit, kill_group
from convexpy.executors.forked_imports import ASKED_S, IMPORT_GRACE_S
from convexpy.executors.import_failures import ImportLimits, ended_while_importing, took_too_long
from convexpy.executors.starter import executor_environment, staged
from convexpy.limits import START_S_MAX
from convexpy.protocol import call_marker, stack_dumps
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import LoadError, Role

SPARES = 2
PIPE_READ_S = 1.0
"""What a process has printed before it ended is read within this."""
DESCRIPTION_BYTES_MAX = 256 * 2**20


class Spare:
    """An interpreter that waits for a role."""

    def __init__(self, env: Mapping[str, str], packages: list[str]) -> None:
        self._ours, theirs = socket.socketpair()
        descriptor = call_marker.create()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "convexpy.sandbox.worker",
                    str(theirs.fileno()),
                    str(descriptor),
                    *packages,
                ],
                pass_fds=[theirs.fileno(), descriptor],
                env=executor_environment(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                **run_as(),
            )
            self._executor = ProcessExecutor(
                self._process.pid, call_marker.CallMarker(descriptor), descriptor
            )
        except BaseException:
            os.close(descriptor)
            raise
        finally:
            theirs.close()
        loop = asyncio.get_running_loop()
        # A thread of its own: a pool's threads would all be waiting for processes.
        threading.Thread(target=self._wait, args=(loop,), name="convexpy-spare", daemon=True).start()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._executor.exited, status)

    async def become(self, role: Role, settings: ExecutorSettings) -> ExecutorConnection:
        """Give it a role and a version."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode({"role": role, "settings": settings}))
            self._process.stdin.close()
        self._executor.label = settings.label
        await self._executor.attach(self._ours)
        return self._executor

    def discard(self) -> None:
        """End it: it is of another environment."""
        self._process.kill()
        self._ours.close()
        if self._process.stdin is not None:
            self._process.stdin.close()


class SpawnVersion:
    """A version whose executors are fresh interpreters."""

    def __init__(
        self, starter: SpawnStarter, settings: ExecutorSettings, description: AppDescription
    ) -> None:
        self._starter = starter
        self._settings = settings
        self.description = description
        self.ready_s_max = START_S_MAX

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Turn a spare into an executor."""
        return await self._starter.take().become(role, self._settings)

    async def warm(self) -> None:
        """Import nothing: spares import the packages of the app while they wait."""

    async def retire(self) -> None:
        """Nothing holds the version but its executors."""


class SpawnStarter:
    """Keeps spares of the present environment and turns them into executors."""

    def __init__(self) -> None:
        self._env: dict[str, str] = {}
        self._packages: list[str] = []
        self._spares: list[Spare] = []

    async def start_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> SpawnVersion:
        """Describe the app in a child process.

        Raises:
            ProjectError: the app does not import, or defines something that makes no sense.
        """
        if dict(env) != self._env:
            self._discard()
            self._env = dict(env)
        stacks = call_marker.create()
        try:
            message = await self._describe(settings, env, stacks)
        finally:
            os.close(stacks)
        if "error" in message:
            raise msgspec.convert(message["error"], LoadError).as_error()
        description = staged(msgspec.convert(message, AppDescription), settings)
        if set(description.packages) - set(self._packages):
            self._discard()
            self._packages = list(description.packages)
        return SpawnVersion(self, settings, description)

    @staticmethod
    async def _describe(settings: ExecutorSettings, env: Mapping[str, str], stacks: int) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "convexpy.sandbox.analyze",
            *(["--camel"] if settings.camel else []),
            f"--label={settings.label}",
            f"--seconds={settings.knobs.import_s}",
            f"--memory={settings.knobs.executor_memory_bytes}",
            f"--stacks={stacks}",
            settings.folder,
            env=executor_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            limit=DESCRIPTION_BYTES_MAX,
            pass_fds=[stacks],
            start_new_session=True,
            **run_as(),
        )
        limits = ImportLimits(settings, stacks)
        try:
            async with asyncio.timeout(limits.seconds + IMPORT_GRACE_S):
                output = await _first_line(process)
                if not output:
                    raise ended_while_importing(limits, "", describe_exit(await process.wait()))
            description: dict[str, Any] = json.loads(output)
            return description
        except TimeoutError:
            stack_dumps.ask(stacks, process.pid)
            await asyncio.sleep(ASKED_S)
            raise took_too_long(limits, "") from None
        finally:
            kill_group(process.pid)
            await process.wait()

    def take(self) -> Spare:
        """Return a spare, and start others for the next time."""
        spare = self._spares.pop(0) if self._spares else Spare(self._env, self._packages)
        while len(self._spares) < SPARES:
            self._spares.append(Spare(self._env, self._packages))
        return spare

    def _discard(self) -> None:
        spares, self._spares = self._spares, []
        for spare in spares:
            spare.discard()

    @property
    def folders(self) -> frozenset[str]:
        """None: every executor imports its own version."""
        return frozenset()

    async def close(self) -> None:
        """End the spares; executors end with their streams."""
        self._discard()


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    """Return the line that a process prints; empty if it ends without. What it has started may keep the pipe open."""
    assert process.stdout is not None
    line = asyncio.ensure_future(process.stdout.readline())
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((line, ended), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((line,), timeout=PIPE_READ_S)
        return line.result() if line.done() else b""
    finally:
        line.cancel()
        ended.cancel()
