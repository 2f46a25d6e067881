"""The admin API of environment variables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from convexpy.engine.identities import Identities
from convexpy.engine.system_functions import SystemFunctions
from convexpy.http.identify import admin_for, caller_of
from convexpy.http.messages import HttpRequest, Response, decode_body, json_response
from convexpy.http.routing import Handler, Routes, errors_of_the_request
from convexpy.protocol.system import Operation
from convexpy.protocol.system.variables import VariableChange
from convexpy.services.variables.described import described_variables
from convexpy.services.variables.service import Variables


class _Changes(msgspec.Struct):
    changes: list[VariableChange]


class VariableRoutes:
    """The routes that read and set variables."""

    def __init__(
        self,
        *,
        variables: Variables,
        set_variables: Callable[[list[VariableChange]], Awaitable[None]],
        system: SystemFunctions,
        identities: Identities,
        secret: str,
    ) -> None:
        """`secret` is the deployment's: fingerprints of values are keyed by it."""
        self._variables = variables
        self._set_variables = set_variables
        self._system = system
        self._identities = identities
        self._secret = secret

    def routes(self) -> Routes:
        """Return the handlers; the official tools use two forms of each path."""
        handlers: dict[tuple[str, str], Handler] = {("GET", "/api/convexpy/env"): self.describe}
        for prefix in ("/api", "/api/v1"):
            handlers["POST", f"{prefix}/update_environment_variables"] = self.update
            handlers["GET", f"{prefix}/list_environment_variables"] = self.list
        return Routes(handlers)

    async def update(self, request: HttpRequest) -> Response:
        """POST /api/update_environment_variables: all changes or none."""
        await admin_for(self._identities, request, "env:write")
        body: _Changes = decode_body(await request.json_body(), _Changes)
        with errors_of_the_request():
            await self._set_variables(body.changes)
        return Response(200)

    async def list(self, request: HttpRequest) -> Response:
        """GET /api/v1/list_environment_variables."""
        await admin_for(self._identities, request, "env:view")
        return json_response({"environmentVariables": dict(sorted(self._variables.values.items()))})

    async def describe(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/env: `name updatedAt length fingerprint` of every variable, for keys that may set them, too."""
        caller = await caller_of(self._identities, request)
        operation: Operation = "env:view"
        if caller.access is not None and caller.access.allows("env:write"):
            operation = "env:write"
        await admin_for(self._identities, request, operation)
        return json_response(
            {"variables": await described_variables(self._system, self._variables, self._secret)}
        )
