"""What tables a deployment has, and how much is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.persistence import CheckpointReader
from convexpy.protocol.admin_api import TableIndex, TableInfo
from convexpy.protocol.system.data import DescribeTables, StoredTable


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

    async def described(self) -> list[TableInfo]:
        """Return every table with its size and its indexes, as of now."""
        tables = await self._system.run(DescribeTables())
        await self._checkpoints.catch_up()
        return await asyncio.to_thread(self._measured, tables)

    def _measured(self, tables: list[StoredTable]) -> list[TableInfo]:
        reader = self._open_reader()
        found: list[TableInfo] = []
        try:
            reader.begin()
            for table in tables:
                documents, size = reader.measure(table.tablet)
                found.append(
                    TableInfo(
                        name=table.name,
                        number=table.number,
                        documents=documents,
                        size_bytes=size,
                        indexes=tuple(
                            msgspec.convert(each, TableIndex, from_attributes=True) for each in table.indexes
                        ),
                    )
                )
            return found
        finally:
            reader.end()
            reader.close()
