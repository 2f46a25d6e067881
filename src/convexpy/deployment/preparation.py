"""What a node does for its turn before it comes: files and packages of the live version are on its disk by then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from convexpy.database import Store
from convexpy.deployment.start_state import StartState, active_number, read_start_state
from convexpy.errors import Error
from convexpy.persistence import CheckpointReader, StoreFull, StoreUnreachable
from convexpy.runtime import Clock
from convexpy.services.pushes.dependencies import Dependencies
from convexpy.services.pushes.sources import SourceStore

logger: logging.Logger = logging.getLogger("convexpy.deployment")

LOOKED_EVERY_S = 5.0


class Preparation:
    """Follows the live version of a deployment that another process serves; `folder` is this node's data folder."""

    def __init__(
        self, reader: Callable[[], CheckpointReader], folder: Path, *, clock: Clock, install: bool
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._sources = SourceStore(folder / "versions")
        self._dependencies = Dependencies(folder / "env", install=install)
        self._prepared = 0

    async def run_regularly(self) -> None:
        """Prepare each version that goes live, until cancelled."""
        while True:
            try:
                await self.run()
            except (Error, StoreUnreachable, StoreFull, OSError) as error:
                logger.warning("the live version cannot be prepared on this node: %s", error)
            await asyncio.sleep(LOOKED_EVERY_S)

    async def run(self) -> None:
        """Prepare the version that is live as of the last checkpoint, unless that was done."""
        state = await asyncio.to_thread(self._read)
        if state is None:
            return
        active = state.active
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, state))
        try:
            folder = await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing  # who cancels goes on to write there
            raise
        await self._dependencies.prepare(active.modules, folder)
        self._prepared = active.version
        logger.info("version %d is prepared on this node", active.version)

    def _write(self, state: StartState) -> Path:
        for source in state.sources.values():
            self._sources.add(source)
        return self._sources.materialise(state.active.version, state.active.modules)

    def _read(self) -> StartState | None:
        reader = self._reader()
        try:
            store = Store(reader, clock=self._clock)
            if active_number(store) in (0, self._prepared):
                return None
            return read_start_state(store)
        finally:
            reader.close()
