"""The admin API of signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.http.messages import HttpRequest
from convexpy.http.routing import errors_of_the_request
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.tokens.issuer import TokenIssuer


class _Rotation(msgspec.Struct):
    revoke: bool = False


@dataclass(kw_only=True, eq=False)
class TokenRoutes(AdminRoutes):
    """The routes that list and rotate signing keys."""

    issuer: TokenIssuer

    @route("GET", "/api/convexpy/signing_keys", "keys:manage")
    async def list(self, request: HttpRequest) -> dict[str, Any]:
        """What is known of every signing key; never what is secret in it."""
        return {"keys": self.issuer.listed()}

    @route("POST", "/api/convexpy/signing_keys/rotate", "keys:manage", _Rotation)
    async def rotate(self, body: _Rotation) -> dict[str, Any]:
        """Sign with a new key from now on."""
        with errors_of_the_request():
            return {"keys": await self.issuer.rotate(revoke=body.revoke)}
