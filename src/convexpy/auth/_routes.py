"""HTTP actions of sign-in: the issuer's public keys, and the way to OAuth providers and back."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import urlsplit

import msgspec

from convexpy.auth._core import Core
from convexpy.auth._flows import FLOW_LIFETIME
from convexpy.auth._oauth import BrowserSecret, OAuthFailed, OAuthProvider
from convexpy.auth._redirects import with_parameters
from convexpy.auth._store import own_issuer
from convexpy.auth._texts import digest, new_secret
from convexpy.functions import ActionCtx, HttpRouter, published_keys

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
CALLBACK_PREFIX = "/api/auth/callback/"
COOKIE_S = int(FLOW_LIFETIME.total_seconds())
KEYS_CACHED = {"Cache-Control": "public, max-age=300, stale-while-revalidate=60"}


class CookieOptions(TypedDict):
    """Arguments of `set_cookie` and `delete_cookie`."""

    key: str
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


def add_key_routes(http: HttpRouter) -> None:
    """Publish the keys that verify tokens, for services that accept the app's users."""
    http.route(KEYS_PATH, method="GET", handler=_keys)
    http.route(CONFIGURATION_PATH, method="GET", handler=_configuration)


def add_oauth_routes(http: HttpRouter, core: Core, providers: Mapping[str, OAuthProvider]) -> None:
    """Answer the browser on its way to a provider and back."""

    async def start(ctx: ActionCtx, request: Request) -> Response:
        provider = providers.get(_last(request))
        flow, secret = request.query_params.get("code", ""), BrowserSecret()
        bound = None
        if provider is not None:
            bound = await ctx.run_mutation(core.flows.start, flow=flow, browser=digest(secret.text))
        if provider is None or bound != provider.id:
            return _not_here()
        try:
            url = await provider.authorization_url(_state(flow, secret), secret)
        except OAuthFailed as error:
            ctx.log.warning("%s", error.message)
            return _not_here(502)
        response = _redirect(url)
        response.set_cookie(value=secret.text, max_age=COOKIE_S, **_cookie(flow))
        return response

    async def callback(ctx: ActionCtx, request: Request) -> Response:
        provider, given = providers.get(_last(request)), request.query_params
        flow = given.get("state", "").partition(".")[0]
        secret = BrowserSecret(request.cookies.get(_cookie(flow)["key"]) or None)
        claimed = None
        if hmac.compare_digest(given.get("state", "").encode(), _state(flow, secret).encode()):
            claimed = await ctx.run_mutation(core.flows.claim, flow=flow, browser=digest(secret.text))
        if claimed is None or provider is None or claimed.provider != provider.id:
            return _not_here()
        added = await finished(ctx, provider, flow, given.get("code"), secret)
        response = _redirect(with_parameters(claimed.redirect_to, added))
        response.delete_cookie(**_cookie(flow))
        return response

    async def finished(
        ctx: ActionCtx, provider: OAuthProvider, flow: str, given: str | None, secret: BrowserSecret
    ) -> dict[str, str]:
        if given is None:
            return {"error": "OAuthCancelled"}
        try:
            profile = await provider.profile(given, secret)
        except OAuthFailed as error:
            ctx.log.warning("%s", error.message)
            return {"error": "OAuthFailed"}
        code = new_secret()
        known = msgspec.to_builtins(profile)
        await ctx.run_mutation(core.flows.finish, flow=flow, code=digest(code), profile=known)
        return {"code": code}

    http.route(path_prefix="/api/auth/signin/", method="GET", handler=start)
    http.route(path_prefix=CALLBACK_PREFIX, method="GET", handler=callback)


def _last(request: Request) -> str:
    return request.url.path.rpartition("/")[2]


def _state(flow: str, secret: BrowserSecret) -> str:
    return f"{flow}.{secret.derived('state')}"


def _cookie(flow: str) -> CookieOptions:
    """Return what makes the cookie of a flow one cookie: its name, and where it is sent."""
    site = urlsplit(own_issuer())
    return {
        "key": f"authflow-{flow}",
        "path": f"{site.path}{CALLBACK_PREFIX}",
        "secure": site.scheme == "https",
        "httponly": True,
        "samesite": "lax",
    }


def _redirect(address: str) -> Response:
    from starlette.responses import RedirectResponse

    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(address, 302, headers=headers)


def _not_here(status: int = 400) -> Response:
    from starlette.responses import PlainTextResponse

    text = "This sign-in did not begin in this browser, was finished already, or took too long. Go back and try again."
    return PlainTextResponse(text, status)


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
