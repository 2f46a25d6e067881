"""One running deployment: the parts that `build` has joined, their start and their stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from convexpy.deployment.data_folder import Storage
from convexpy.deployment.settings import DeploymentSettings
from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.history import History
from convexpy.engine.http_actions import HttpActions
from convexpy.engine.identities import Identities
from convexpy.engine.outcome import failed
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.timeline import LogTimeline
from convexpy.engine.versions import LiveVersion
from convexpy.executors.starter import Starter
from convexpy.protocol.system.variables import UpdateVariables, VariableChange
from convexpy.runtime import Clock
from convexpy.services.data.tables import Tables
from convexpy.services.files.service import FileService
from convexpy.services.keys.keyring import Keyring
from convexpy.services.logs import FunctionLog
from convexpy.services.logs.statistics_file import StatisticsKeeper
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.index_builds import IndexBuilds
from convexpy.services.pushes.push import Pusher
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.scheduling.service import SchedulingService
from convexpy.services.transfers.exports import Exports
from convexpy.services.transfers.imports import Imports
from convexpy.services.variables.service import Variables
from convexpy.sync import Hub

logger = logging.getLogger("convexpy.deployment")


@dataclass(kw_only=True, eq=False)
class Deployment:
    """A backend. Everything runs on one event loop; durable work is in threads and processes below."""

    settings: DeploymentSettings
    storage: Storage
    clock: Clock
    background: BackgroundTasks
    starter: Starter
    timeline: LogTimeline
    live: LiveVersion
    functions: FunctionRunner
    http_actions: HttpActions
    system: SystemFunctions
    history: History
    hub: Hub
    identities: Identities
    checkpoints: CheckpointService
    log: FunctionLog
    statistics: StatisticsKeeper
    keyring: Keyring
    variables: Variables
    files: FileService
    scheduling: SchedulingService
    exports: Exports
    imports: Imports
    tables: Tables
    sources: SourceStore
    app: ActiveApp
    builds: IndexBuilds
    pusher: Pusher

    async def start(self) -> None:
        """Start the executors of the active version; ready to serve when this returns."""
        await self.checkpoints.start()
        self.live.mutations.committer.start()
        loads = await self.app.start()
        self.statistics.start()
        if self.variables.has_plain:
            await self.system.run(self.variables.sealed_again())
        await self.builds.resume(self.live.registry.description)
        await self.files.start()
        await self.exports.start()
        await self.imports.start()
        await self.scheduling.start(runs=loads)
        self.pusher.sweep()

    async def close(self, grace_s: float | None = None) -> None:
        """Stop: finish or cut calls, write the last group, make a full checkpoint, end the children.

        Mutations have `grace_s` to end, by default the knob `stop_grace_s`.
        """
        await self.scheduling.close()
        await self.exports.close()
        await self.imports.close()
        idle = asyncio.Event()
        mutations = self.live.mutations
        mutations.close_gate(idle.set)
        try:
            async with asyncio.timeout(self.settings.knobs.stop_grace_s if grace_s is None else grace_s):
                await idle.wait()
        except TimeoutError:
            logger.warning("mutations were still running at the end of the grace period")
        mutations.abandon(failed("ShuttingDown", "the deployment is shutting down"))
        self.log.close()
        await self.background.close()
        await self.identities.close()
        await self.live.actions.close()
        await self.live.close()
        await self.starter.close()
        await asyncio.to_thread(mutations.committer.stop)
        await self.checkpoints.close()
        await self.files.close()
        await self.statistics.close()
        self.storage.close()

    async def set_variables(self, changes: Iterable[VariableChange]) -> None:
        """Set and remove variables; functions see them in fresh executors, every query runs again."""
        self.variables.take(await self.system.run(UpdateVariables(self.variables.sealed(changes))))
        await self.app.restart()
