"""Indexes that are built beside everything else: staged ones, and what a push that did not end left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.system.pushes import AbortPush, BuildingIndex, FinishIndexes


@dataclass(kw_only=True, eq=False)
class IndexBuilds:
    """Builds staged indexes; they turn ready when they are complete.

    `unfinished` are the indexes that were being built when the server stopped.
    """

    unfinished: list[BuildingIndex]
    system: SystemFunctions
    checkpoints: CheckpointService
    sweep: Callable[[], Awaitable[None]]
    background: BackgroundTasks

    async def resume(self, app: AppDescription) -> None:
        """Go on with the staged indexes of the active version; what a push began that did not end is taken back."""
        staged = {
            (table, index.name, index.fields)
            for table, definition in app.tables.items()
            for index in definition.indexes
            if index.staged
        }
        wanted: list[BuildingIndex] = []
        abandoned: list[BuildingIndex] = []
        for index in self.unfinished:
            key = (index.table, index.name, tuple(index.fields))
            (wanted if key in staged else abandoned).append(index)
        if abandoned:
            await self.system.run(AbortPush([index.number for index in abandoned]))
            self.background.start(self.sweep())
        if wanted:
            self.begin(wanted)

    def begin(self, indexes: list[BuildingIndex]) -> None:
        """Build these indexes in the background."""
        self.background.start(self._build(indexes))

    async def _build(self, indexes: list[BuildingIndex]) -> None:
        await self.checkpoints.catch_up()
        await self.checkpoints.walk(indexes, None)
        self.checkpoints.announce()
        await self.system.run(FinishIndexes([index.number for index in indexes]))
