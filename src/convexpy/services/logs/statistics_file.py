"""Keeps the counts of functions over a restart: a small file in the data folder, written now and then and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from convexpy.services.logs import FunctionStatistics

FILE = "function-statistics.json"
WRITTEN_EVERY_S = 30.0
logger: logging.Logger = logging.getLogger("convexpy.statistics")


class StatisticsKeeper:
    """Writes counts to a file while calls come; an idle deployment writes nothing."""

    def __init__(self, folder: Path, statistics: FunctionStatistics) -> None:
        self._file = folder / FILE
        self._statistics = statistics
        self._written = 0
        with contextlib.suppress(OSError):
            statistics.load(self._file.read_bytes())

    async def write_regularly(self) -> None:
        """Write now and then, until cancelled."""
        while True:
            await asyncio.sleep(WRITTEN_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what is new."""
        revision = self._statistics.revision
        if revision == self._written:
            return
        data = self._statistics.dump()
        try:
            await asyncio.to_thread(self._replace, data)
        except OSError as error:
            logger.warning("the counts of functions could not be written: %s", error)
        else:
            self._written = revision

    def _replace(self, data: bytes) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_bytes(data)
        temporary.replace(self._file)
