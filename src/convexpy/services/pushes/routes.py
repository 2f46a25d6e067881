"""The admin API of pushes: what is live, what was pushed, and pushing."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.engine.identities import Identities
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.versions import LiveVersion
from convexpy.errors import ProjectError, PushRejected, RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, decode_body, error_response, json_response
from convexpy.http.routing import Routes
from convexpy.protocol.app_description import LiveApp
from convexpy.protocol.system.pushes import ListVersions
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.push import Pusher
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.pushes.sources import SourceStore

PUSH_BODY_BYTES = 200 * 1024 * 1024


class _Plan(msgspec.Struct):
    modules: dict[str, str]


class PushRoutes:
    """The routes of pushes."""

    def __init__(
        self,
        *,
        pusher: Pusher,
        sources: SourceStore,
        app: ActiveApp,
        live: LiveVersion,
        system: SystemFunctions,
        identities: Identities,
    ) -> None:
        self._pusher = pusher
        self._sources = sources
        self._app = app
        self._live = live
        self._system = system
        self._identities = identities

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("POST", "/api/convexpy/push/plan"): self.plan,
                ("POST", "/api/convexpy/push"): self.push,
                ("GET", "/api/convexpy/functions"): self.functions,
                ("GET", "/api/convexpy/history"): self.history,
            }
        )

    async def plan(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push/plan: which contents does the server not have?"""
        await admin_for(self._identities, request, "deploy")
        plan: _Plan = decode_body(await request.json_body(), _Plan)
        return json_response({"missing": self._sources.missing(plan.modules)})

    async def push(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push."""
        await admin_for(self._identities, request, "deploy")
        request.body_max = PUSH_BODY_BYTES
        body: PushRequest = decode_body(await request.json_body(), PushRequest)
        try:
            return json_response(await self._pusher.push(body))
        except (ProjectError, PushRejected) as error:
            details = error.to_json()
            data: Any = details.pop("data") or {}
            retry_on = data.pop("retryOn", "files") if isinstance(data, dict) else "files"
            refused = RequestError(error.message, code=error.code, status=400)
            return error_response(refused, {**details, "data": data or None, "retryOn": retry_on})
        except RequestError as error:
            retry_on = "never" if error.code == "PushSuperseded" else "backoff"
            return error_response(error, {"hint": error.hint, "data": error.data, "retryOn": retry_on})

    async def functions(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/functions: the description of the live version."""
        await admin_for(self._identities, request, "functions:view")
        return json_response(
            LiveApp(
                version=self._app.active.version, **msgspec.structs.asdict(self._live.registry.description)
            )
        )

    async def history(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/history: the pushes, the newest first; `?limit=`."""
        await admin_for(self._identities, request, "functions:view")
        try:
            limit = max(1, int(request.query("limit") or 50))
        except ValueError as error:
            raise RequestError("`limit` must be a number", code="BadLimit") from error
        return json_response({"pushes": await self._system.run(ListVersions(limit))})
