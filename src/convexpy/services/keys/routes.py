"""The admin API of admin keys."""

from __future__ import annotations

from typing import Annotated

import msgspec

from convexpy.auth import KeyKind
from convexpy.engine.identities import Identities
from convexpy.errors import RequestError
from convexpy.http.identify import admin_for, caller_of
from convexpy.http.messages import HttpRequest, Response, decode_body, json_response
from convexpy.http.routing import Routes, errors_of_the_request
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


class KeyRoutes:
    """The routes that check and manage keys."""

    def __init__(self, *, keyring: Keyring, identities: Identities, development: bool) -> None:
        """`development`: whether the server is one of `convexpy dev`."""
        self._keyring = keyring
        self._identities = identities
        self._development = development

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("GET", "/api/check_admin_key"): self.check,
                ("GET", "/api/convexpy/keys"): self.list,
                ("POST", "/api/convexpy/keys"): self.create,
                ("POST", "/api/convexpy/keys/revoke"): self.revoke,
                ("POST", "/api/convexpy/keys/rotate"): self.rotate,
            }
        )

    async def check(self, request: HttpRequest) -> Response:
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
                "development": self._development,
            }
        )

    async def list(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/keys: what is known of every admin key; never a key."""
        await admin_for(self._identities, request, "keys:manage")
        return json_response({"keys": self._keyring.listed()})

    async def create(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys: the one answer that holds the new key."""
        await admin_for(self._identities, request, "keys:manage")
        body: _NewKey = decode_body(await request.json_body(), _NewKey)
        with errors_of_the_request():
            made = await self._keyring.create(body.name, body.kind, tuple(body.functions), body.expires_at)
        return json_response(made)

    async def revoke(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys/revoke."""
        await admin_for(self._identities, request, "keys:manage")
        body: _WhichKey = decode_body(await request.json_body(), _WhichKey)
        with errors_of_the_request():
            return json_response(await self._keyring.revoke(body.key))

    async def rotate(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/keys/rotate: the one answer that holds the new key, and what becomes of the old one."""
        await admin_for(self._identities, request, "keys:manage")
        body: _Rotation = decode_body(await request.json_body(), _Rotation)
        with errors_of_the_request():
            return json_response(await self._keyring.rotate(body.key, body.grace_ms))
