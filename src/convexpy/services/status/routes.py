"""The admin API about the deployment as a whole: its state, its history, and how its functions fare."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import Any

import msgspec

from convexpy._version import __version__
from convexpy.auth import SERVER_ACCESS, Caller
from convexpy.deployment import Deployment
from convexpy.errors import Error, RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, json_response
from convexpy.http.socket import Sockets
from convexpy.values import encode_wire


class DeploymentApi:
    """The routes for tools that look at a deployment."""

    def __init__(self, deployment: Deployment, sockets: Sockets) -> None:
        self._deployment = deployment
        self._sockets = sockets
        self._started_s = time.time()

    async def statistics(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/functions/stats: counts and durations of the last 24 hours; `?hourly=1` by the hour, too."""
        await admin_for(self._deployment.identities, request, "functions:view")
        hourly = request.query("hourly") not in (None, "", "0")
        return json_response(
            {"hours": 24, "functions": self._deployment.log.statistics.described(hourly=hourly)}
        )

    async def history(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/history: the pushes, the newest first; `?limit=`."""
        await admin_for(self._deployment.identities, request, "functions:view")
        try:
            limit = max(1, int(request.query("limit") or 50))
        except ValueError as error:
            raise RequestError("`limit` must be a number", code="BadLimit") from error
        return json_response({"pushes": await self._read("_system/push:history", {"limit": limit})})

    async def status(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/status: what is live, what is being built, who is connected, how it fares."""
        await admin_for(self._deployment.identities, request, "functions:view")
        deployment = self._deployment
        active, description = deployment.active, deployment.live.registry.description
        schema = description["schema"]
        statistics, walking = deployment.log.statistics, deployment.checkpoints.walking
        return json_response(
            {
                "name": deployment.settings.name,
                "serverVersion": __version__,
                "startedAt": self._started_s * 1000,
                "now": time.time() * 1000,
                "redacts": deployment.settings.redact,
                "live": {
                    "version": active.version,
                    "pushedAt": None,
                    "commit": "",
                    "dirty": False,
                    "actor": "",
                    **active.pushed,
                },
                "functions": len(description["functions"]),
                "tables": len({} if schema is None else schema["tables"]),
                "building": self._building(),
                "walking": None if walking is None else {"table": walking[0], "documents": walking[1]},
                "clients": len(self._sockets),
                "errorRate1h": statistics.error_rate(1),
                "crons": await self._read("_system/crons:list", {}),
                "disk": await asyncio.to_thread(self._disk),
            }
        )

    def _building(self) -> list[dict[str, Any]]:
        return [
            {"table": table.name, "index": index.name, "staged": index.staged}
            for table in self._deployment.checkpoints.catalog.user_tables()
            for index in table.indexes
            if index.state == "building"
        ]

    def _disk(self) -> dict[str, int]:
        folder = self._deployment.storage.folder
        used = sum(file.stat().st_size for file in folder.glob("*.db*") if file.is_file())
        return {"databaseBytes": used, "freeBytes": shutil.disk_usage(folder).free}

    async def _read(self, path: str, args: dict[str, Any]) -> Any:
        outcome = await self._deployment.functions.run(
            "query", path, encode_wire(args), Caller(access=SERVER_ACCESS)
        )
        if outcome.failure is not None:
            raise Error(outcome.failure.detail, code=outcome.failure.code)
        return msgspec.json.decode(outcome.value)
