"""Token issuers that a deployment trusts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from convexpy.errors import ProjectError, caller_location
from convexpy.protocol.app_description import ProviderDescription

AuthProvider: TypeAlias = ProviderDescription
"""An issuer, made by `oidc` (keys are discovered) or `custom_jwt` (keys are at `jwks`)."""


class AuthConfig(msgspec.Struct, frozen=True):
    """The module variable `auth` of `auth_config.py`."""

    providers: tuple[AuthProvider, ...]

    def describe(self) -> tuple[ProviderDescription, ...]:
        """Return the providers as official tools write them."""
        return self.providers


def auth_config(*, providers: Sequence[AuthProvider]) -> AuthConfig:
    """Say which issuers' tokens the deployment accepts.

    Raises:
        ProjectError: something in the list is not a provider; with the place of the call.
    """
    for provider in providers:
        found: Any = provider
        if not isinstance(found, AuthProvider):
            _fail(f"providers are made by oidc(…) or custom_jwt(…), not {found!r}")
    return AuthConfig(tuple(providers))


def oidc(*, domain: str, application_id: str) -> AuthProvider:
    """Return an OpenID Connect issuer: `domain` is its address, `application_id` the audience of its tokens."""
    if not _text(application_id).strip():
        _fail(f"application_id must be the audience of the issuer's tokens, not {application_id!r}")
    return AuthProvider(domain=_address("domain", domain), application_id=application_id)


def custom_jwt(
    *,
    issuer: str,
    jwks: str,
    algorithm: Literal["RS256", "ES256", "EdDSA"],
    application_id: str | None = None,
) -> AuthProvider:
    """Return an issuer of any JWTs: `jwks` is the address of its keys, or a data URL with them.

    Without `application_id` the audience of tokens is not checked: a token that the issuer made for any other
    application is accepted. Every push warns of it.
    """
    if application_id is not None and not _text(application_id).strip():
        _fail(f"application_id must be the audience of the issuer's tokens, not {application_id!r}")
    if algorithm not in ("RS256", "ES256", "EdDSA"):
        _fail(f"algorithm is 'RS256', 'ES256' or 'EdDSA', not {algorithm!r}")
    if not _text(jwks).startswith(("https://", "http://", "data:")):
        _fail(f"jwks is an address or a data URL, not {jwks!r}")
    return AuthProvider(
        type="customJwt",
        issuer=_address("issuer", issuer),
        application_id=application_id,
        jwks=jwks,
        algorithm=algorithm,
    )


def _address(name: str, text: str) -> str:
    """Return an issuer's address; the scheme may be left out, as with Convex."""
    if not _text(text).strip():
        _fail(f"{name} is the address of the issuer, not {text!r}")
    return text


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""


def _fail(message: str) -> None:
    raise ProjectError(message, location=caller_location())
