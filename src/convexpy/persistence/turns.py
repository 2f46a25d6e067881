"""Several servers of one deployment: each has a turn, and one at a time has the store."""

from __future__ import annotations

from typing import Protocol

from convexpy.persistence.interface import CheckpointReader, DataStore


class Turn(Protocol):
    """This process's place among the nodes of a deployment, of which one at a time owns the store and serves."""

    @property
    def is_held(self) -> bool:
        """Whether this one surely is the node that serves, so that nobody else can have written yet; for any thread."""
        ...

    def take(self) -> str | None:
        """Try to become the node that serves; may take as long as one round trip.

        Return None if this one is, now; else how the one that is can be reached, as it has said; empty if there is none.

        Raises:
            StoreUnreachable: the database does not answer at present.
        """
        ...

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading, while another node serves; raises as its methods."""
        ...

    def open(self) -> DataStore:
        """Open the store, after `take` has returned None; raises as `open_store`."""
        ...

    def close(self) -> None:
        """Give up the turn, taken or not; may be called twice."""
        ...
