"""The state of a deployment on one page."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from convexpy._version import __version__
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.identities import Identities
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.versions import LiveVersion
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, json_response
from convexpy.http.routing import Routes
from convexpy.protocol.admin_api import DeploymentStatus, DiskUse, IndexBuild, PushInfo, TableWalk
from convexpy.protocol.system import encode_plain
from convexpy.protocol.system.crons import ListCrons
from convexpy.services.logs import FunctionLog
from convexpy.services.pushes.active_app import ActiveApp


class StatusRoutes:
    """The route for people and tools that look at a deployment."""

    def __init__(
        self,
        *,
        app: ActiveApp,
        live: LiveVersion,
        checkpoints: CheckpointService,
        system: SystemFunctions,
        log: FunctionLog,
        identities: Identities,
        clients: Callable[[], int],
        data_folder: Path,
        deployment: str,
        redacts: bool,
    ) -> None:
        """`clients` returns the number of open sockets, `deployment` is the name."""
        self._app = app
        self._live = live
        self._checkpoints = checkpoints
        self._system = system
        self._log = log
        self._identities = identities
        self._clients = clients
        self._data_folder = data_folder
        self._name = deployment
        self._redacts = redacts
        self._started_s = time.time()

    def routes(self) -> Routes:
        """Return the handler."""
        return Routes({("GET", "/api/convexpy/status"): self.status})

    async def status(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/status: what is live, what is being built, who is connected, and how it is doing."""
        await admin_for(self._identities, request, "functions:view")
        active, description = self._app.active, self._live.registry.description
        crons = await self._system.run(ListCrons())
        statistics, walking = self._log.statistics, self._checkpoints.walking
        return json_response(
            DeploymentStatus(
                name=self._name,
                server_version=__version__,
                started_at=self._started_s * 1000,
                now=time.time() * 1000,
                redacts=self._redacts,
                live=msgspec.convert({"version": active.version, **active.pushed}, PushInfo),
                functions=len(description.functions),
                tables=len(description.tables),
                building=self._building(),
                walking=None if walking is None else TableWalk(table=walking[0], documents=walking[1]),
                clients=self._clients(),
                error_rate_1h=statistics.error_rate(1),
                crons=msgspec.json.decode(encode_plain(crons)),
                disk=await asyncio.to_thread(self._disk),
            )
        )

    def _building(self) -> tuple[IndexBuild, ...]:
        return tuple(
            IndexBuild(table=table.name, index=index.name, staged=index.staged)
            for table in self._checkpoints.catalog.user_tables()
            for index in table.indexes
            if index.state == "building"
        )

    def _disk(self) -> DiskUse:
        folder = self._data_folder
        used = sum(file.stat().st_size for file in folder.glob("*.db*") if file.is_file())
        return DiskUse(database_bytes=used, free_bytes=shutil.disk_usage(folder).free)
