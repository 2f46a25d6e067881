"""Removing what deleted tables and indexes have left in the data."""

from __future__ import annotations

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.protocol.system.pushes import ForgetDeleted


class Sweeper:
    """Removes contents that the catalog no longer names."""

    def __init__(self, *, checkpoints: CheckpointService, system: SystemFunctions) -> None:
        self._checkpoints = checkpoints
        self._system = system

    async def sweep(self) -> None:
        """Remove first the contents, then the documents that held their numbers."""
        await self._checkpoints.catch_up()
        await self._checkpoints.sweep()
        await self._system.run(ForgetDeleted())
