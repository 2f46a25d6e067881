"""Indexes that are built beside everything else: staged ones, and what a push that did not end left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.system.pushes import AbortPush, BuildingIndex, FinishIndexes


class IndexBuilds:
    """Builds staged indexes; they turn ready when they are complete."""

    def __init__(
        self,
        *,
        unfinished: list[BuildingIndex],
        system: SystemFunctions,
        checkpoints: CheckpointService,
        sweep: Callable[[], Awaitable[None]],
        background: BackgroundTasks,
    ) -> None:
        """`unfinished` are the indexes that were being built when the server stopped."""
        self._unfinished = unfinished
        self._system = system
        self._checkpoints = checkpoints
        self._sweep = sweep
        self._background = background

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
        for index in self._unfinished:
            key = (index.table, index.name, tuple(index.fields))
            (wanted if key in staged else abandoned).append(index)
        if abandoned:
            await self._system.run(AbortPush([index.number for index in abandoned]))
            self._background.start(self._sweep())
        if wanted:
            self.begin(wanted)

    def begin(self, indexes: list[BuildingIndex]) -> None:
        """Build these indexes in the background."""
        self._background.start(self._build(indexes))

    async def _build(self, indexes: list[BuildingIndex]) -> None:
        await self._checkpoints.catch_up()
        await self._checkpoints.walk(indexes, None)
        self._checkpoints.announce()
        await self._system.run(FinishIndexes([index.number for index in indexes]))
