"""What tables a deployment has, and how much is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.persistence import CheckpointReader


class Tables:
    """Counts documents in the files and not in an executor: a large table would use up a function's limits."""

    def __init__(
        self,
        *,
        system: SystemFunctions,
        checkpoints: CheckpointService,
        open_reader: Callable[[], CheckpointReader],
    ) -> None:
        self._system = system
        self._checkpoints = checkpoints
        self._open_reader = open_reader

    async def described(self) -> list[dict[str, Any]]:
        """Return `name number documents sizeBytes indexes` of every table, as of now."""
        outcome = await self._system.run("_system/data:tables", b"{}")
        tables: list[dict[str, Any]] = msgspec.json.decode(outcome.value)
        await self._checkpoints.catch_up()
        return await asyncio.to_thread(self._measured, tables)

    def _measured(self, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
        reader = self._open_reader()
        try:
            reader.begin()
            for table in tables:
                table["documents"], table["sizeBytes"] = reader.measure(int(table.pop("tablet")))
            return tables
        finally:
            reader.end()
            reader.close()
