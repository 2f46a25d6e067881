"""OAuth 2 and OpenID Connect with PKCE: GitHub, Google, and any issuer that can be discovered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from convexpy.auth._accounts import Profile
from convexpy.auth._core import Core, SignInResult
from convexpy.auth._redirects import allowed_redirect
from convexpy.auth._store import own_issuer
from convexpy.auth._texts import digest, new_secret, refuse
from convexpy.errors import Error
from convexpy.functions import ActionCtx

if TYPE_CHECKING:
    import httpx

PROVIDER_S_MAX = 10.0
CLOCK_SKEW_S = 60
ID_TOKEN_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


class OAuthFailed(Error):
    """A provider did not say who signed in, or what it says is not to be trusted."""


class Endpoints(NamedTuple):
    """The addresses of a provider."""

    authorize: str
    token: str
    keys: str = ""
    basic: bool = False
    """Whether the app authenticates by Basic authentication, not in the body: both are RFC 6749."""


class BrowserSecret:
    """The secret of a browser's cookie; all that the provider must bring back, or prove to be from us, follows from it."""

    def __init__(self, secret: str | None = None) -> None:
        self.text: str = secret or new_secret()

    def derived(self, purpose: str) -> str:
        """Return what is sent for a purpose: 43 characters, from which no other follows."""
        return _base64url(hmac.digest(self.text.encode(), purpose.encode(), "sha256"))


class OAuthProvider(ABC):
    """What OAuth providers share. Without client id and secret a provider is not offered."""

    kind: str = "oauth"

    def __init__(
        self, id: str, name: str, scopes: Sequence[str], client_id: str | None, client_secret: str | None
    ) -> None:
        self.id = id
        self.name = name
        self._scopes = tuple(scopes)
        variable = f"AUTH_{id.upper().replace('-', '_')}"
        self._client_id = client_id or os.environ.get(f"{variable}_ID", "")
        self._client_secret = client_secret or os.environ.get(f"{variable}_SECRET", "")

    @property
    def is_configured(self) -> bool:
        """Whether the provider can be offered."""
        return bool(self._client_id and self._client_secret)

    @property
    def callback(self) -> str:
        """The address that the provider must know as a redirect URI."""
        return f"{own_issuer()}/api/auth/callback/{self.id}"

    async def sign_in(self, core: Core, ctx: ActionCtx, params: Mapping[str, Any]) -> SignInResult:
        """Begin; the browser is to go to `redirect`, and comes back to `redirectTo` with a code for `verifier`."""
        if not self.is_configured:
            refuse("UnknownProvider")
        verifier = new_secret()
        flow = await ctx.run_mutation(
            core.flows.begin,
            provider=self.id,
            verifier=digest(verifier),
            redirectTo=allowed_redirect(params, core.site_url, core.redirects),
            link=params.get("link") is True,
        )
        return {"redirect": f"{own_issuer()}/api/auth/signin/{self.id}?code={flow}", "verifier": verifier}

    async def authorization_url(self, state: str, secret: BrowserSecret) -> str:
        """Return where the browser goes.

        Raises:
            OAuthFailed: the provider cannot be reached.
        """
        async with self._asking() as client:
            endpoints = await self._endpoints(client)
        challenge = hashlib.sha256(secret.derived("pkce").encode()).digest()
        given = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self.callback,
            "scope": " ".join(self._scopes),
            "state": state,
            "nonce": secret.derived("nonce"),
            "code_challenge": _base64url(challenge),
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in endpoints.authorize else "?"
        return f"{endpoints.authorize}{mark}{urlencode(given)}"

    async def profile(self, code: str, secret: BrowserSecret) -> Profile:
        """Return who came back with a code of the provider.

        Raises:
            OAuthFailed: the provider does not accept the code, or its answer is not to be trusted.
        """
        async with self._asking() as client:
            endpoints = await self._endpoints(client)
            given = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback,
                "code_verifier": secret.derived("pkce"),
            }
            headers: dict[str, str] = {}
            if endpoints.basic:
                pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                given |= {"client_id": self._client_id, "client_secret": self._client_secret}
            response = await client.post(endpoints.token, data=given, headers=headers)
            token = _read_json(response)
            if "error" in token:
                raise OAuthFailed(f"{self.name} refused the code: {token['error']}")
            return await self._read(client, endpoints, token, secret.derived("nonce"))

    @asynccontextmanager
    async def _asking(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Give a client for requests to the provider; what goes wrong with it or with its answers is `OAuthFailed`."""
        import httpx
        from joserfc.errors import JoseError

        headers = {"Accept": "application/json"}
        try:
            async with httpx.AsyncClient(timeout=PROVIDER_S_MAX, headers=headers) as client:
                yield client
        except (httpx.HTTPError, JoseError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise OAuthFailed(f"{self.name}: {type(error).__name__}: {error}") from error

    @abstractmethod
    async def _endpoints(self, client: httpx.AsyncClient) -> Endpoints:
        """Return the addresses of the provider."""

    @abstractmethod
    async def _read(
        self, client: httpx.AsyncClient, endpoints: Endpoints, token: dict[str, Any], nonce: str
    ) -> Profile:
        """Return who a token is of."""


class OIDC(OAuthProvider):
    """Any issuer of OpenID Connect, by discovery. `AUTH_<ID>_ID` and `AUTH_<ID>_SECRET` are its variables by default."""

    def __init__(
        self,
        *,
        id: str,
        issuer: str,
        name: str = "",
        scopes: Sequence[str] = ("openid", "email", "profile"),
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> None:
        """Let people sign in at an issuer.

        Args:
            id: The name in calls, in the callback's address and in the names of the variables.
            issuer: Its address, exactly as it names itself.
            name: What buttons call it.
            scopes: What is asked for.
            client_id: The app's id there.
            client_secret: The app's secret there.
        """
        super().__init__(id, name or id, scopes, client_id, client_secret)
        self._issuer = issuer

    async def _endpoints(self, client: httpx.AsyncClient) -> Endpoints:
        response = await client.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        found = _read_json(response)
        if found.get("issuer") != self._issuer:
            raise OAuthFailed(f"{self._issuer} calls itself {found.get('issuer')!r}")
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Endpoints(
            found["authorization_endpoint"],
            found["token_endpoint"],
            found["jwks_uri"],
            basic="client_secret_basic" in methods,
        )

    async def _read(
        self, client: httpx.AsyncClient, endpoints: Endpoints, token: dict[str, Any], nonce: str
    ) -> Profile:
        from joserfc import jwt
        from joserfc.jwk import KeySet

        keys = _read_json(await client.get(endpoints.keys))
        decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ID_TOKEN_ALGORITHMS)
        claims = decoded.claims
        jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
        if (
            isinstance(claims["aud"], list)
            and len(claims["aud"]) > 1
            and claims.get("azp") != self._client_id
        ):
            raise OAuthFailed(f"{self.name}: the token is for another application, too")
        return Profile(
            account_id=str(claims["sub"]),
            email=str(claims.get("email") or "").lower(),
            email_verified=str(claims.get("email_verified")).lower() == "true",
            name=str(claims.get("name") or ""),
            image=str(claims.get("picture") or ""),
        )


class Google(OIDC):
    """Sign-in at Google, with the variables `AUTH_GOOGLE_ID` and `AUTH_GOOGLE_SECRET`."""

    def __init__(self, *, client_id: str | None = None, client_secret: str | None = None) -> None:
        """Let people sign in at Google."""
        super().__init__(
            id="google",
            issuer="https://accounts.google.com",
            name="Google",
            client_id=client_id,
            client_secret=client_secret,
        )


class GitHub(OAuthProvider):
    """Sign-in at GitHub, with the variables `AUTH_GITHUB_ID` and `AUTH_GITHUB_SECRET`."""

    def __init__(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        address: str = "https://github.com",
        api: str = "https://api.github.com",
    ) -> None:
        """Let people sign in at GitHub, or with another `address` and `api` at a GitHub Enterprise Server."""
        super().__init__("github", "GitHub", ("read:user", "user:email"), client_id, client_secret)
        self._address = address.rstrip("/")
        self._api = api.rstrip("/")

    async def _endpoints(self, client: httpx.AsyncClient) -> Endpoints:
        oauth = f"{self._address}/login/oauth"
        return Endpoints(f"{oauth}/authorize", f"{oauth}/access_token")

    async def _read(
        self, client: httpx.AsyncClient, endpoints: Endpoints, token: dict[str, Any], nonce: str
    ) -> Profile:
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        user = _read_json(await client.get(f"{self._api}/user", headers=bearer))
        emails = _read_json(await client.get(f"{self._api}/user/emails", headers=bearer))
        primary: Any = next((each for each in emails if each.get("primary")), {})
        return Profile(
            account_id=str(user["id"]),
            email=str(primary.get("email") or "").lower(),
            email_verified=primary.get("verified") is True,
            name=str(user.get("name") or user.get("login") or ""),
            image=str(user.get("avatar_url") or ""),
        )


def _read_json(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
