"""The admin API: pushes, environment variables, logs."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.deployment import Deployment, PushRequest
from convexpy.errors import Error, ProjectError, PushRejected, RequestError
from convexpy.http.identify import admin_only
from convexpy.http.messages import HttpRequest, Response, decode_body, error_response, json_response

LOG_WAIT_S = 60.0
PUSH_BODY_BYTES = 200 * 1024 * 1024


class _Plan(msgspec.Struct):
    modules: dict[str, str]


class _Change(msgspec.Struct):
    name: str
    value: str | None = None


class _Changes(msgspec.Struct):
    changes: list[_Change]


class AdminApi:
    """The routes for tools with an admin key."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._functions = deployment.functions

    async def plan(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push/plan: which contents does the server not have?"""
        admin_only(self._functions, request)
        plan: _Plan = decode_body(await request.json_body(), _Plan)
        return json_response({"missing": self._deployment.sources.missing(plan.modules)})

    async def push(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push."""
        admin_only(self._functions, request)
        request.body_max = PUSH_BODY_BYTES
        body: PushRequest = decode_body(await request.json_body(), PushRequest)
        try:
            return json_response(await self._deployment.pusher.push(body))
        except (ProjectError, PushRejected) as error:
            details = error.to_json()
            data: Any = details.pop("data") or {}
            retry_on = data.pop("retryOn", "files") if isinstance(data, dict) else "files"
            refused = RequestError(error.message, code=error.code, status=400)
            return error_response(refused, {**details, "data": data or None, "retryOn": retry_on})
        except RequestError as error:
            return error_response(error, {"hint": error.hint, "data": error.data, "retryOn": "backoff"})

    async def logs(self, request: HttpRequest) -> Response:
        """GET /api/stream_function_logs?cursor=…: entries after the cursor; waits for one."""
        admin_only(self._functions, request)
        try:
            cursor = float(request.query("cursor") or 0)
        except ValueError as error:
            raise RequestError("`cursor` must be a number", code="BadCursor") from error
        entries, new_cursor = await self._deployment.log.read(cursor, LOG_WAIT_S)
        wanted = request.query("requestId")
        if wanted is not None:
            entries = [entry for entry in entries if entry["requestId"] == wanted]
        return json_response({"entries": entries, "newCursor": new_cursor})

    async def update_environment(self, request: HttpRequest) -> Response:
        """POST /api/update_environment_variables: all changes or none."""
        admin_only(self._functions, request)
        body: _Changes = decode_body(await request.json_body(), _Changes)
        try:
            await self._deployment.update_environment(
                [{"name": change.name, "value": change.value} for change in body.changes]
            )
        except Error as error:
            raise RequestError(error.message, code=error.code) from error
        return Response(200)

    async def list_environment(self, request: HttpRequest) -> Response:
        """GET /api/v1/list_environment_variables."""
        admin_only(self._functions, request)
        return json_response({"environmentVariables": dict(sorted(self._deployment.environment.items()))})

    async def check_key(self, request: HttpRequest) -> Response:
        """GET /api/check_admin_key."""
        admin_only(self._functions, request)
        return json_response({"success": True, "allowedOps": ["Deploy"], "isReadOnly": False})

    async def canonical_urls(self, request: HttpRequest) -> Response:
        """GET /api/v1/get_canonical_urls."""
        admin_only(self._functions, request)
        settings = self._deployment.settings
        return json_response({"convexCloudUrl": settings.cloud_url, "convexSiteUrl": settings.site_url})

    async def functions(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/functions: the description of the live version."""
        admin_only(self._functions, request)
        deployment = self._deployment
        return json_response({"version": deployment.active.version, **deployment.live.registry.description})
