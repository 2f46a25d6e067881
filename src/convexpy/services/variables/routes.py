"""The admin API of environment variables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.engine.system_functions import SystemFunctions
from convexpy.http.messages import HttpRequest, Response
from convexpy.http.routing import errors_of_the_request
from convexpy.protocol.system.variables import ListVariables, VariableChange
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.variables.service import Variables


class _Changes(msgspec.Struct):
    changes: list[VariableChange]


@dataclass(kw_only=True, eq=False)
class VariableRoutes(AdminRoutes):
    """The routes that read and set variables; the official tools use two forms of each path.

    `secret` is the deployment's: fingerprints of values are keyed by it.
    """

    variables: Variables
    set_variables: Callable[[list[VariableChange]], Awaitable[None]]
    system: SystemFunctions
    secret: str

    @route("POST", "/api/update_environment_variables", "env:write", _Changes)
    @route("POST", "/api/v1/update_environment_variables", "env:write", _Changes)
    async def update(self, body: _Changes) -> Response:
        """Make all changes or none."""
        with errors_of_the_request():
            await self.set_variables(body.changes)
        return Response(200)

    @route("GET", "/api/list_environment_variables", "env:view")
    @route("GET", "/api/v1/list_environment_variables", "env:view")
    async def list(self, request: HttpRequest) -> dict[str, Any]:
        """List the variables with their values."""
        return {"environmentVariables": dict(sorted(self.variables.values.items()))}

    @route("GET", "/api/convexpy/env", ("env:view", "env:write"))
    async def describe(self, request: HttpRequest) -> dict[str, Any]:
        """List `name updatedAt length fingerprint` of every variable, for keys that may set them, too."""
        stored = await self.system.run(ListVariables())
        return {"variables": [self.variables.described(document, self.secret) for document in stored]}
