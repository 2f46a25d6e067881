"""The version of the app that is live: its files, its packages, its settings and its processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.versions import LiveVersion
from convexpy.errors import Error, Unavailable
from convexpy.executors.starter import Starter, VersionHandle
from convexpy.protocol.app_description import ProviderDescription
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.runtime import Signal
from convexpy.services.pushes.dependencies import Dependencies
from convexpy.services.pushes.requests import ActiveVersion, PushConfig
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.variables.service import BUILT_IN, Variables

logger: logging.Logger = logging.getLogger("convexpy.deployment")


@dataclass(kw_only=True, eq=False)
class ActiveApp:
    """Loads versions, and knows the live one.

    `template` has the settings that all versions share, `built_in` the variables that functions always see. `trust` is told
    the sign-in providers of a version that goes live.
    """

    active: ActiveVersion
    template: ExecutorSettings
    built_in: Mapping[str, str]
    variables: Variables
    sources: SourceStore
    dependencies: Dependencies
    starter: Starter
    live: LiveVersion
    trust: Callable[[tuple[ProviderDescription, ...]], None]
    background: BackgroundTasks

    def __post_init__(self) -> None:
        self.lock: asyncio.Lock = asyncio.Lock()
        """Held from the start of a version until it is live: what starts meanwhile would be of an older one."""
        self.changed: Signal[[]] = Signal()
        """Functions or variables are not what they were: every subscription must run again."""
        self.pushed: Signal[[]] = Signal()
        """Another version is live."""

    def functions_environment(self) -> dict[str, str]:
        """Return the variables that functions see."""
        stored = {name: value for name, value in self.variables.values.items() if name not in BUILT_IN}
        return {**stored, **self.built_in}

    async def load(
        self,
        version: int,
        modules: dict[str, str],
        config: PushConfig,
        *,
        variables: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> VersionHandle:
        """Import a version in a process of its own. Its packages are installed first.

        `variables` are set beside those in the data; `folder` has its files, if it was written before.

        Raises:
            ProjectError: it does not import, or defines something that makes no sense.
        """
        if folder is None:
            folder = await asyncio.to_thread(self.sources.materialise, version, modules)
        settings = msgspec.structs.replace(
            self.template,
            version=version,
            folder=str(folder),
            label=config.label or self.template.label,
            camel=config.function_case == "camel",
            staged_indexes=config.staged_indexes,
        )
        packages = await self.dependencies.prepare(modules, folder)
        environment = {**self.functions_environment(), **packages, **(variables or {})}
        return await self.starter.start_version(settings, environment, modules)

    async def start(self) -> bool:
        """Make the version live that the data names; return whether it loads. If not, an empty app is served."""
        active = self.active
        loads = True
        try:
            handle = await self.load(active.version, active.modules, active.config)
            await asyncio.to_thread(self.sources.sweep, active.version, self.starter.folders)
            self.dependencies.activated(active.modules, self.sources.folder_of(active.version))
        except Error as error:
            loads = False
            # The data is fine and a push can repair the code: serve an empty app until then.
            logger.error("the active version does not load, serving nothing until a push: %s", error)
            active.config = PushConfig(label="")
            handle = await self.load(0, {}, active.config)
        await self.live.switch(handle, _activate_nothing)
        self.trust(handle.description.auth)
        self.warm(handle)
        return loads

    async def restart(self) -> None:
        """Start the executors again, which then see the present variables."""
        async with self.lock:
            active = self.active
            folder = self.sources.folder_of(active.version)
            handle = await self.load(active.version, active.modules, active.config, folder=folder)
            await self.live.switch(handle, _activate_nothing)
            self.trust(handle.description.auth)
            self.changed()

    def activated(
        self, version: int, modules: dict[str, str], config: PushConfig, pushed: dict[str, Any]
    ) -> None:
        """Note that a pushed version is live."""
        old = self.active.version
        self.active = ActiveVersion(version, modules, config, pushed)
        self.trust(self.live.registry.description.auth)
        self.dependencies.activated(modules, self.sources.folder_of(version))
        self.changed()
        self.pushed()
        if old != version:
            self.background.start(asyncio.to_thread(self.sources.sweep, version, self.starter.folders))

    def warm(self, handle: VersionHandle) -> None:
        """Have imported ahead of the next push what the live version tells of it."""
        self.background.start(self._warm(handle))

    @staticmethod
    async def _warm(handle: VersionHandle) -> None:
        try:
            await handle.warm()
        except (Unavailable, TimeoutError) as error:
            logger.warning("packages could not be imported ahead: %s", error)


async def _activate_nothing() -> None:
    """The version is active in the data already."""
