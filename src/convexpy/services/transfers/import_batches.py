"""Writing the checked documents of an import: batch by batch, a few under way, no faster than the checkpoint keeps up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.protocol.system.imports import AppendToTable, FillTablet
from convexpy.runtime import pauses
from convexpy.services.transfers.import_plan import ImportPlan, PlannedTable

BATCHES_AT_ONCE = 3
PROGRESS_EVERY_S = 0.5
DOCUMENTS_IN_BATCH = 250
OnProgress = Callable[[str, list[str], int], Awaitable[None]]


@dataclass(kw_only=True, eq=False)
class BatchFill:
    """Fills hidden tablets, or appends."""

    folder: Path
    system: SystemFunctions
    checkpoints: CheckpointService
    tail_bytes_max: int

    async def run(self, plan: ImportPlan, on_progress: OnProgress) -> None:
        """Write every table; `on_progress` hears now and then what is done: a text, finished tables, documents so far."""
        written, total = 0, plan.documents
        loop = asyncio.get_running_loop()
        reported_at = loop.time()
        finished: list[str] = []
        for table in plan.tables:
            under_way: deque[asyncio.Task[Any]] = deque()
            try:
                for offset, length in _batches(self.folder / table.file):
                    # What the checkpoint has not covered is in the memory of every executor: let it keep up.
                    if self.checkpoints.tail_bytes > self.tail_bytes_max:
                        await self.checkpoints.catch_up()
                    under_way.append(loop.create_task(self._write_batch(table, offset, length)))
                    if len(under_way) >= BATCHES_AT_ONCE:
                        await under_way.popleft()
                    written = min(written + DOCUMENTS_IN_BATCH, total)
                    if loop.time() - reported_at > PROGRESS_EVERY_S:
                        reported_at = loop.time()
                        await on_progress(
                            f"{table.name}: {written:,} of {total:,} documents", finished, written
                        )
                    pauses.reach("imports.filling")
                while under_way:
                    await under_way.popleft()
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)
            finished.append(f"{table.name}: {table.documents:,} documents written")

    async def _write_batch(self, table: PlannedTable, offset: int, length: int) -> None:
        if table.insert:
            await self.system.run(AppendToTable(table.name, table.file, offset, length))
        else:
            await self.system.run(FillTablet(table.tablet, table.file, offset, length))


def _batches(path: Path) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each batch of a prepared file."""
    with path.open("rb") as file:
        offset = 0
        while header := file.read(4):
            length = int.from_bytes(header, "little")
            yield offset + 4, length
            offset += 4 + length
            file.seek(offset)
