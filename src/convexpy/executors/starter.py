"""Starting executors with a fork server (Linux).

`start_version` imports one version of the app and describes it; the handle it returns starts executors on that version.
`spares.py` does the same with fresh interpreters, where `fork` does not exist or is unsafe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from convexpy.errors import Error, Unavailable
from convexpy.executors import base_process
from convexpy.executors.base_process import base_environment
from convexpy.executors.connection import ExecutorConnection, ProcessExecutor
from convexpy.executors.fork_control import ForkControl
from convexpy.executors.forked_imports import fork_import
from convexpy.executors.trunk import Edits, Trunk
from convexpy.limits import FORK_S_MAX, START_S_MAX
from convexpy.protocol import call_marker
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import (
    ImportPackages,
    Role,
    SetEnvironment,
    StartExecutor,
    StartVersion,
)

logger: logging.Logger = logging.getLogger("convexpy.versions")


class VersionHandle(Protocol):
    """One version of the app, imported and ready to start executors."""

    @property
    def description(self) -> AppDescription:
        """What the app consists of."""
        ...

    ready_s_max: float
    """How long a started executor may take until it says `Ready`."""

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Start an executor; it sends `Ready` when it can be sent calls."""
        ...

    async def warm(self) -> None:
        """Import ahead of the next version, where that is of use: packages, and what of the app is not being edited."""
        ...

    async def retire(self) -> None:
        """Start no more executors; those that run go on."""
        ...


class Starter(Protocol):
    """A way to start executors."""

    async def start_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> VersionHandle:
        """Import a version and describe it; `sources` are the hashes of its files.

        Raises:
            ProjectError: the app does not import, or defines something that makes no sense.
        """
        ...

    @property
    def folders(self) -> frozenset[str]:
        """The folders that the next version may need, besides its own."""
        ...

    async def close(self) -> None:
        """End every process that was started."""
        ...


def executor_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of executors: a whitelist of the server's own, then the deployment's variables."""
    return {**base_environment(), **env}


def staged(app: AppDescription, settings: ExecutorSettings) -> AppDescription:
    """Return the description of an app with the indexes staged that the settings name."""
    if app.schema is None:
        return app
    return msgspec.structs.replace(app, schema=app.schema.with_staged(settings.staged_indexes))


class ForkVersion:
    """A version process: a fork of the base that has imported the app. One that has ended is started again when needed."""

    ready_s_max = FORK_S_MAX

    def __init__(
        self,
        starter: ForkStarter,
        settings: ExecutorSettings,
        env: Mapping[str, str],
        sources: Mapping[str, str],
    ) -> None:
        self._starter = starter
        self._settings = settings
        self._env = env
        self._sources = sources
        self._control: ForkControl | None = None
        self._starting = asyncio.Lock()
        self._retired = False
        self._description: AppDescription | None = None

    async def start(self) -> None:
        """Import the app in a fresh process, unless there is one.

        Raises:
            ProjectError: the app does not import, or defines something that makes no sense.
            Unavailable: no process could be started, or the version is retired.
        """
        async with self._starting:
            if self._retired:
                raise Unavailable("this version of the app is not in use any more")
            if self._control is not None and not self._control.ended:
                return
            if self._control is not None:
                # Not killed: it may only be stopped, and executors that run would end with it. It ends with the server.
                await self._control.close()
            self._control, description = await self._starter.fork_version(
                self._settings, self._env, self._sources
            )
            self._description = self._description or description

    @property
    def description(self) -> AppDescription:
        """What the app consists of; `start` has to have returned."""
        assert self._description is not None
        return self._description

    async def spawn(self, role: Role) -> ExecutorConnection:
        """Fork an executor."""
        await self.start()
        assert self._control is not None
        control = self._control
        ours, theirs = socket.socketpair()
        descriptor = call_marker.create()
        try:
            pid = await control.fork(StartExecutor(role), [theirs.fileno(), descriptor])
            executor = ProcessExecutor(
                pid, call_marker.CallMarker(descriptor), descriptor, self._settings.label
            )
        except BaseException:
            ours.close()
            os.close(descriptor)
            raise
        finally:
            theirs.close()
        control.watch(executor)
        await executor.attach(ours)
        return executor

    async def warm(self) -> None:
        """Import the app's third-party packages in the base, and in a trunk the modules that are not being edited."""
        await self._starter.import_packages(self.description.packages)
        await self._starter.grow_trunk(self._settings, self._sources)

    async def retire(self) -> None:
        """Close the control socket; the process ends when its executors have."""
        self._retired = True
        if self._control is not None:
            await self._control.close()


class ForkStarter:
    """Starts executors through a fork server, which is started again whenever the deployment's variables change.

    With `keeps_trunk`, for deployments whose app is being edited, a version imports only what may differ from the one before.
    """

    def __init__(self, *, keeps_trunk: bool = False) -> None:
        self._base: ForkControl | None = None
        self._keeps_trunk = keeps_trunk
        self._trunk: Trunk | None = None
        self._importing_from = ""
        self._edits = Edits()
        self._process: subprocess.Popen[bytes] | None = None
        self._env: dict[str, str] = {}
        self._packages: set[str] = set()
        self._unsafe: set[str] = set()
        self._lock = asyncio.Lock()

    async def start_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> VersionHandle:
        """Fork a version process and wait until it has imported the app."""
        version = ForkVersion(self, settings, env, sources)
        self._edits.note(sources)
        await version.start()
        return version

    async def fork_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> tuple[ForkControl, AppDescription]:
        """Start a version process; return its control socket and the description of the app.

        Raises:
            ProjectError: the app does not import within its limits, or defines something that makes no sense.
            Unavailable: no process could be started.
        """
        try:
            return await self._fork_version(settings, env, sources)
        except Unavailable:
            # The fork server was there and did not answer, or ended meanwhile: the next one is fresh.
            return await self._fork_version(settings, env, sources)

    async def _fork_version(
        self, settings: ExecutorSettings, env: Mapping[str, str], sources: Mapping[str, str]
    ) -> tuple[ForkControl, AppDescription]:
        parent = base = await self._base_for(dict(env))
        if self._trunk is not None and self._trunk.fits(base, settings, sources):
            parent = self._trunk.control
        control, report = await fork_import(parent, StartVersion(settings), ForkControl.expect_loaded)
        return control, staged(report.app, settings)

    async def _base_for(self, env: dict[str, str]) -> ForkControl:
        async with self._lock:
            return await self._ensure_base(env)

    async def grow_trunk(self, settings: ExecutorSettings, sources: Mapping[str, str]) -> None:
        """Import what nobody edits of this version, which is live, for the next one.

        Its folder lasts for that long: the same path has other files once a push that has failed is made again.
        """
        base, trunk, edited = self._base, self._trunk, self._edits.files
        if not self._keeps_trunk or not edited or base is None:
            return
        if trunk is not None and trunk.fits(base, settings, sources) and trunk.left.issuperset(edited):
            return
        self._importing_from = settings.folder
        try:
            grown = await Trunk.grow(base, settings, sources, edited)
        except (Error, OSError) as error:
            logger.debug("the next push imports the whole app: %s", error)
            return
        finally:
            self._importing_from = ""
        old, self._trunk = (self._trunk, grown) if base is self._base else (grown, self._trunk)
        if old is not None:
            await old.control.close()

    @property
    def folders(self) -> frozenset[str]:
        """The folders that trunks import from: their modules may read files beside them."""
        trunk = set() if self._trunk is None else {self._trunk.settings.folder}
        return frozenset({*trunk, self._importing_from})

    async def import_packages(self, packages: Iterable[str]) -> None:
        """Import third-party packages in the base, so that the next version finds them imported."""
        async with self._lock:
            new = [name for name in packages if name not in self._packages and name not in self._unsafe]
            if not new or self._base is None or self._base.ended:
                return
            self._packages.update(new)
            answer = self._base.expect_imported()
            self._base.send(ImportPackages(new))
            async with asyncio.timeout(START_S_MAX):
                report = await answer
            if report.unsafe:
                self._unsafe.update(report.unsafe)
                self._packages.difference_update(report.unsafe)
                await self._stop_base()

    async def _ensure_base(self, env: dict[str, str]) -> ForkControl:
        if self._base is not None and not self._base.ended and env == self._env:
            return self._base
        await self._stop_base()
        self._env = env
        started = base_process.take()
        self._process, self._base = started.process, ForkControl(started.socket)
        await self._base.send_all(SetEnvironment(env))
        if self._packages:
            await self._import_again(self._base)
            return await self._ensure_base(env)
        return self._base

    async def _import_again(self, base: ForkControl) -> None:
        """Import in a fresh base what the one before had; packages that end it, or never end, are left to the versions."""
        packages, self._packages = self._packages, set()
        try:
            answer = base.expect_imported()
            base.send(ImportPackages(sorted(packages)))
            async with asyncio.timeout(START_S_MAX):
                await answer
            self._packages = packages
        except (Unavailable, TimeoutError):
            base.give_up()
            self._unsafe |= packages

    async def _stop_base(self) -> None:
        """Give the base up. Versions forked from it would die with it, so it is only closed, and ends when they have."""
        trunk, self._trunk = self._trunk, None
        if trunk is not None:
            await trunk.control.close()
        base, self._base = self._base, None
        process, self._process = self._process, None
        if base is not None:
            await base.close()
        if process is not None:
            _retired.append(process)

    async def close(self) -> None:
        """End the fork server, and with it every version and executor."""
        await self._stop_base()
        base_process.discard_early()
        while _retired:
            process = _retired.pop()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


_retired: list[subprocess.Popen[bytes]] = []
