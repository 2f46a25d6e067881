"""HTTP actions of sign-in: the issuer's public keys, and the way to OAuth providers and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convexpy.functions import ActionCtx, HttpRouter, published_keys

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
KEYS_CACHED = {"Cache-Control": "public, max-age=300, stale-while-revalidate=60"}


def add_key_routes(http: HttpRouter) -> None:
    """Publish the keys that verify tokens, for services that accept the app's users."""
    http.route(KEYS_PATH, method="GET", handler=_keys)
    http.route(CONFIGURATION_PATH, method="GET", handler=_configuration)


async def _keys(ctx: ActionCtx, request: Request) -> Response:
    from starlette.responses import JSONResponse

    found = await published_keys(ctx)
    return JSONResponse({"keys": found["keys"]}, headers=KEYS_CACHED)


async def _configuration(ctx: ActionCtx, request: Request) -> Response:
    from starlette.responses import JSONResponse

    issuer = (await published_keys(ctx))["issuer"]
    configuration = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}{KEYS_PATH}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
    return JSONResponse(configuration, headers=KEYS_CACHED)
