"""What tables a deployment has, and how much is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.persistence import CheckpointReader
from convexpy.protocol.admin_api import TableIndex, TableInfo
from convexpy.protocol.system.data import DescribeTables, StoredTable


@dataclass(kw_only=True, eq=False)
class Tables:
    """Counts documents in the files and not in an executor: a large table would use up a function's limits."""

    system: SystemFunctions
    checkpoints: CheckpointService
    open_reader: Callable[[], CheckpointReader]

    async def described(self) -> list[TableInfo]:
        """Return every table with its size and its indexes, as of now."""
        tables = await self.system.run(DescribeTables())
        await self.checkpoints.catch_up()
        return await asyncio.to_thread(self._measured, tables)

    def _measured(self, tables: list[StoredTable]) -> list[TableInfo]:
        reader = self.open_reader()
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
