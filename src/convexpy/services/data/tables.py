"""What tables a deployment has, and how much is in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment


class Tables:
    """Counts documents in the files and not in an executor: a large table would use up a function's limits."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def described(self) -> list[dict[str, Any]]:
        """Return `name number documents sizeBytes indexes` of every table, as of now."""
        outcome = await self._deployment.system.run("_system/data:tables", b"{}")
        tables: list[dict[str, Any]] = msgspec.json.decode(outcome.value)
        await self._deployment.checkpoint(at_least=self._deployment.timeline.row)
        return await asyncio.to_thread(self._measured, tables)

    def _measured(self, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
        reader = self._deployment.storage.reader()
        try:
            reader.begin()
            for table in tables:
                table["documents"], table["sizeBytes"] = reader.measure(int(table.pop("tablet")))
            return tables
        finally:
            reader.end()
            reader.close()
