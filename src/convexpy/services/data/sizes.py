"""How many documents tables have, and how large they are: counted once each, then kept up with what is folded in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from convexpy.database import Growth
from convexpy.persistence import CheckpointReader


@dataclass(kw_only=True, eq=False)
class TableSizes:
    """For one thread at a time. `growth` returns what the checkpointer knows."""

    reading: Callable[[], AbstractContextManager[CheckpointReader]]
    growth: Callable[[], Growth]

    def __post_init__(self) -> None:
        self._at_start: dict[int, tuple[int, int]] = {}

    def of(self, tablet: int) -> tuple[int, int]:
        """Return the documents and bytes of a table, as of the checkpoint or later; the first time, it reads them all."""
        grown = self.growth().tablets.get(tablet, (0, 0))
        if tablet in self._at_start:
            count, size = self._at_start[tablet]
            return count + grown[0], size + grown[1]
        return self._counted(tablet)

    def _counted(self, tablet: int) -> tuple[int, int]:
        """Count, and keep the result if the checkpoint has not moved while the read transaction was opened."""
        growth = self.growth()
        with self.reading() as reader:
            count, size = reader.measure(tablet)
            seq = int(reader.meta("checkpoint_seq") or 0)
        if seq == growth.seq:
            grown = growth.tablets.get(tablet, (0, 0))
            self._at_start[tablet] = count - grown[0], size - grown[1]
        return count, size
