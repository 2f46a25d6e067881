"""The admin API: pushes, environment variables, logs."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Annotated, Any

import msgspec

from convexpy.auth import KeyKind, Operation
from convexpy.deployment import Deployment, PushRequest
from convexpy.errors import Error, ProjectError, PushRejected, RequestError
from convexpy.http.identify import admin_for, caller_of
from convexpy.http.messages import HttpRequest, Response, decode_body, error_response, json_response
from convexpy.services.variables.described import described_variables

PUSH_BODY_BYTES = 200 * 1024 * 1024


class _Plan(msgspec.Struct):
    modules: dict[str, str]


class _Change(msgspec.Struct):
    name: str
    value: str | None = None


class _Changes(msgspec.Struct):
    changes: list[_Change]


class _NewKey(msgspec.Struct, rename="camel"):
    name: str
    kind: KeyKind
    functions: list[str] = []
    expires_at: float | None = None


class _WhichKey(msgspec.Struct):
    key: str


class _Rotation(msgspec.Struct, rename="camel"):
    key: str
    grace_ms: Annotated[float, msgspec.Meta(ge=0)]


@contextlib.contextmanager
def _failures_are_of_the_request() -> Generator[None]:
    """What a system function refuses is a request that can't be done."""
    try:
        yield
    except RequestError:
        raise
    except Error as error:
        raise RequestError(error.message, code=error.code) from error


class AdminApi:
    """The routes for tools with an admin key."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._identities = deployment.identities

    async def plan(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push/plan: which contents does the server not have?"""
        await admin_for(self._identities, request, "deploy")
        plan: _Plan = decode_body(await request.json_body(), _Plan)
        return json_response({"missing": self._deployment.sources.missing(plan.modules)})

    async def push(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/push."""
        await admin_for(self._identities, request, "deploy")
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
            retry_on = "never" if error.code == "PushSuperseded" else "backoff"
            return error_response(error, {"hint": error.hint, "data": error.data, "retryOn": retry_on})

    async def update_environment(self, request: HttpRequest) -> Response:
        """POST /api/update_environment_variables: all changes or none."""
        await admin_for(self._identities, request, "env:write")
        body: _Changes = decode_body(await request.json_body(), _Changes)
        with _failures_are_of_the_request():
            await self._deployment.update_environment(
                [{"name": change.name, "value": change.value} for change in body.changes]
            )
        return Response(200)

    async def list_environment(self, request: HttpRequest) -> Response:
        """GET /api/v1/list_environment_variables."""
        await admin_for(self._identities, request, "env:view")
        return json_response(
            {"environmentVariables": dict(sorted(self._deployment.variables.values.items()))}
        )

    async def describe_environment(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/env: `name updatedAt length fingerprint` of every variable, for keys that may set them, too."""
        caller = await caller_of(self._identities, request)
        operation: Operation = "env:view"
        if caller.access is not None and caller.access.allows("env:write"):
            operation = "env:write"
        await admin_for(self._identities, request, operation)
        return json_response({"variables": await described_variables(self._deployment)})

    async def check_key(self, request: HttpRequest) -> Response:
        """GET /api/check_admin_key."""
        caller = await caller_of(self._identities, request)
        if caller.access is None:
            raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
        kind = caller.access.kind
        return json_response(
            {
                "success": True,
                "allowedOps": ["Deploy"] if caller.access.allows("deploy") else [],
                "isReadOnly": kind == "read-only",
                "kind": kind,
                "development": self._deployment.settings.development,
            }
        )

    async def list_keys(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/keys: what is known of every admin key; never a key."""
        await admin_for(self._identities, request, "keys:manage")
        return json_response({"keys": self._deployment.keyring.listed()})

    async def create_key(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys: the one answer that holds the new key."""
        await admin_for(self._identities, request, "keys:manage")
        body: _NewKey = decode_body(await request.json_body(), _NewKey)
        with _failures_are_of_the_request():
            key, described = await self._deployment.keyring.create(
                body.name, body.kind, tuple(body.functions), body.expires_at
            )
        return json_response({"key": key, **described})

    async def revoke_key(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys/revoke."""
        await admin_for(self._identities, request, "keys:manage")
        body: _WhichKey = decode_body(await request.json_body(), _WhichKey)
        with _failures_are_of_the_request():
            return json_response(await self._deployment.keyring.revoke(body.key))

    async def rotate_key(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys/rotate: the one answer that holds the new key, and what becomes of the old one."""
        await admin_for(self._identities, request, "keys:manage")
        body: _Rotation = decode_body(await request.json_body(), _Rotation)
        with _failures_are_of_the_request():
            key, described, old = await self._deployment.keyring.rotate(body.key, body.grace_ms)
        return json_response({"key": key, **described, "old": old})

    async def canonical_urls(self, request: HttpRequest) -> Response:
        """GET /api/v1/get_canonical_urls."""
        await admin_for(self._identities, request, "functions:view")
        settings = self._deployment.settings
        return json_response({"convexCloudUrl": settings.cloud_url, "convexSiteUrl": settings.site_url})

    async def functions(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/functions: the description of the live version."""
        await admin_for(self._identities, request, "functions:view")
        deployment = self._deployment
        return json_response({"version": deployment.active.version, **deployment.live.registry.description})
