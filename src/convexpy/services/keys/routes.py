"""The admin API of admin keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args

import msgspec

from convexpy.access import KeyKind
from convexpy.errors import RequestError
from convexpy.http.identify import caller_of
from convexpy.http.messages import HttpRequest, Response, json_response
from convexpy.http.routing import Routes, errors_of_the_request
from convexpy.protocol.admin_api import KeyInfo, NewKey, RotatedKey
from convexpy.protocol.system import Operation
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.keys.keyring import Keyring


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


@dataclass(kw_only=True, eq=False)
class KeyRoutes(AdminRoutes):
    """The routes that check and manage keys. `development`: whether the server is one of `convexpy dev`."""

    keyring: Keyring
    development: bool

    def routes(self) -> Routes:
        """Return the handlers."""
        found = super().routes()
        return replace(found, exact={**found.exact, ("GET", "/api/check_admin_key"): self.check})

    async def check(self, request: HttpRequest) -> Response:
        """Say what a key is."""
        caller = await caller_of(self.identities, request)
        if caller.access is None:
            raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
        kind = caller.access.kind
        return json_response(
            {
                "success": True,
                "allowedOps": ["Deploy"] if caller.access.allows("deploy") else [],
                "isReadOnly": kind == "read-only",
                "kind": kind,
                "operations": [each for each in get_args(Operation) if caller.access.allows(each)],
                "development": self.development,
            }
        )

    @route("GET", "/api/convexpy/keys", "keys:manage")
    async def list(self, request: HttpRequest) -> dict[str, Any]:
        """What is known of every admin key; never a key."""
        return {"keys": self.keyring.listed()}

    @route("POST", "/api/convexpy/keys", "keys:manage", _NewKey)
    async def create(self, body: _NewKey) -> NewKey:
        """Make a key: the one answer that holds it."""
        with errors_of_the_request():
            return await self.keyring.create(body.name, body.kind, tuple(body.functions), body.expires_at)

    @route("POST", "/api/convexpy/keys/revoke", "keys:manage", _WhichKey)
    async def revoke(self, body: _WhichKey) -> KeyInfo:
        """Make a key worthless."""
        with errors_of_the_request():
            return await self.keyring.revoke(body.key)

    @route("POST", "/api/convexpy/keys/rotate", "keys:manage", _Rotation)
    async def rotate(self, body: _Rotation) -> RotatedKey:
        """Put a new key in the place of one: the one answer that holds it, and what becomes of the old one."""
        with errors_of_the_request():
            return await self.keyring.rotate(body.key, body.grace_ms)
