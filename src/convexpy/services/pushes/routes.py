"""The admin API of pushes: what is live, what was pushed, and pushing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.versions import LiveVersion
from convexpy.errors import ProjectError, PushRejected, RequestError
from convexpy.http.messages import HttpRequest, Response, decode_body, error_response, json_response
from convexpy.protocol.admin_api import PushInfo
from convexpy.protocol.app_description import LiveApp
from convexpy.protocol.system.pushes import ListVersions
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.push import Pusher
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.pushes.sources import SourceStore

PUSH_BODY_BYTES = 200 * 1024 * 1024


class _Plan(msgspec.Struct):
    modules: dict[str, str]


@dataclass(kw_only=True, eq=False)
class PushRoutes(AdminRoutes):
    """The routes of pushes."""

    pusher: Pusher
    sources: SourceStore
    app: ActiveApp
    live: LiveVersion
    system: SystemFunctions

    @route("POST", "/api/convexpy/push/plan", "deploy", _Plan)
    async def plan(self, body: _Plan) -> dict[str, list[str]]:
        """Say which contents the server does not have."""
        return {"missing": self.sources.missing(body.modules)}

    @route("POST", "/api/convexpy/push", "deploy")
    async def push(self, request: HttpRequest) -> Response:
        """Make a version live, or plan that."""
        request.body_max = PUSH_BODY_BYTES
        body: PushRequest = decode_body(await request.json_body(), PushRequest)
        try:
            return json_response(await self.pusher.push(body))
        except (ProjectError, PushRejected) as error:
            details = error.to_json()
            data: Any = details.pop("data") or {}
            retry_on = data.pop("retryOn", "files") if isinstance(data, dict) else "files"
            refused = RequestError(error.message, code=error.code, status=400)
            return error_response(refused, {**details, "data": data or None, "retryOn": retry_on})
        except RequestError as error:
            retry_on = "never" if error.code in ("PushSuperseded", "VersionNotKept") else "backoff"
            return error_response(error, {"hint": error.hint, "data": error.data, "retryOn": retry_on})

    @route("GET", "/api/convexpy/functions", "functions:view")
    async def functions(self, request: HttpRequest) -> LiveApp:
        """Describe the live version."""
        description = msgspec.structs.asdict(self.live.registry.description)
        return LiveApp(version=self.app.active.version, **description)

    @route("GET", "/api/convexpy/history", "functions:view")
    async def history(self, request: HttpRequest) -> dict[str, list[PushInfo]]:
        """List the pushes, the newest first; `?limit=`."""
        try:
            limit = max(1, int(request.query("limit") or 50))
        except ValueError as error:
            raise RequestError("`limit` must be a number", code="BadLimit") from error
        return {"pushes": await self.system.run(ListVersions(limit))}
