"""Indexes that are built beside everything else: staged ones, and what a push that did not end left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convexpy.values import encode_wire

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment


class IndexBuilds:
    """Builds staged indexes; they turn ready when they are complete."""

    def __init__(self, deployment: Deployment, unfinished: list[dict[str, Any]]) -> None:
        self._deployment = deployment
        self._unfinished = unfinished

    async def resume(self, schema: dict[str, Any] | None) -> None:
        """Go on with the staged indexes of the active version; what a push began that did not end is taken back."""
        staged = {
            (table, index["name"], tuple(index["fields"]))
            for table, definition in ({} if schema is None else schema["tables"]).items()
            for index in definition["indexes"]
            if index["staged"]
        }
        wanted: list[dict[str, Any]] = []
        abandoned: list[dict[str, Any]] = []
        for index in self._unfinished:
            key = (index["table"], index["name"], tuple(index["fields"]))
            (wanted if key in staged else abandoned).append(index)
        if abandoned:
            numbers = [index["number"] for index in abandoned]
            await self._deployment.system.run("_system/push:abort", encode_wire({"numbers": numbers}))
            self._deployment.in_background(self._deployment.sweep())
        if wanted:
            self.begin(wanted)

    def begin(self, indexes: list[dict[str, Any]]) -> None:
        """Build these indexes in the background."""
        self._deployment.in_background(self._build(indexes))

    async def _build(self, indexes: list[dict[str, Any]]) -> None:
        deployment = self._deployment
        await deployment.checkpoints.reach(deployment.timeline.row)
        await deployment.checkpoints.walk(indexes, None)
        # Open read transactions do not see the keys just entered: have executors begin new ones.
        deployment.checkpoint_moved(deployment.timeline.checkpoint_seq)
        numbers = [index["number"] for index in indexes]
        await deployment.system.run("_system/push:indexesBuilt", encode_wire({"numbers": numbers}))
