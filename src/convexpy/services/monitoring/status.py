"""The state of a deployment on one page."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from convexpy._version import __version__
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.versions import LiveVersion
from convexpy.http.messages import HttpRequest
from convexpy.persistence import Node
from convexpy.protocol.admin_api import DeploymentStatus, DiskUse, IndexBuild, NodeStatus, PushInfo, TableWalk
from convexpy.protocol.system import encode_plain
from convexpy.protocol.system.crons import ListCrons
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.logs import FunctionLog
from convexpy.services.pushes.active_app import ActiveApp


@dataclass(kw_only=True, eq=False)
class StatusRoutes(AdminRoutes):
    """The route for people and tools that look at a deployment. `clients` returns the number of open sockets."""

    app: ActiveApp
    live: LiveVersion
    checkpoints: CheckpointService
    system: SystemFunctions
    log: FunctionLog
    clients: Callable[[], int]
    nodes: Callable[[], list[Node]]
    data_folder: Path
    deployment: str
    redacts: bool

    def __post_init__(self) -> None:
        self._started_s = time.time()

    @route("GET", "/api/convexpy/status", "functions:view")
    async def status(self, request: HttpRequest) -> DeploymentStatus:
        """Say what is live, what is being built, who is connected, and how it is doing."""
        active, description = self.app.active, self.live.registry.description
        crons = await self.system.run(ListCrons())
        statistics, walking = self.log.statistics, self.checkpoints.walking
        return DeploymentStatus(
            name=self.deployment,
            server_version=__version__,
            started_at=self._started_s * 1000,
            now=time.time() * 1000,
            redacts=self.redacts,
            live=msgspec.convert({"version": active.version, **active.pushed}, PushInfo),
            functions=len(description.functions),
            tables=len(description.tables),
            building=self._building(),
            walking=None if walking is None else TableWalk(table=walking[0], documents=walking[1]),
            clients=self.clients(),
            error_rate_1h=statistics.error_rate(1),
            crons=msgspec.json.decode(encode_plain(crons)),
            disk=await asyncio.to_thread(self._disk),
            nodes=await asyncio.to_thread(self._nodes),
        )

    def _nodes(self) -> tuple[NodeStatus, ...]:
        return tuple(
            NodeStatus(
                address=node.address.partition(" ")[0],
                place=node.place,
                since=node.since_ms,
                serves=node.serves,
            )
            for node in self.nodes()
        )

    def _building(self) -> tuple[IndexBuild, ...]:
        return tuple(
            IndexBuild(table=table.name, index=index.name, staged=index.staged)
            for table in self.checkpoints.catalog.user_tables()
            for index in table.indexes
            if index.state == "building"
        )

    def _disk(self) -> DiskUse:
        folder = self.data_folder
        used = sum(file.stat().st_size for file in folder.glob("*.db*") if file.is_file())
        return DiskUse(database_bytes=used, free_bytes=shutil.disk_usage(folder).free)
