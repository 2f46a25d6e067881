"""The issuers that an app trusts, and which of them a token claims to be from."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

from convexpy.access._refusals import NO_PROVIDER, NOT_VERIFIED, TokenRefused, shown
from convexpy.access._tokens import ALGORITHMS, ParsedToken
from convexpy.protocol.app_description import ProviderDescription
from convexpy.protocol.host_names import is_loopback


class Provider(msgspec.Struct, frozen=True):
    """One issuer. `fault` says why its keys cannot be fetched at all; then its own tokens are refused, no others."""

    issuer: str
    """With scheme, without a slash at the end."""
    application_id: str | None
    jwks: str | None
    """Where the keys are: an address or a data URL. None: OpenID Connect, the keys are discovered."""
    algorithms: tuple[str, ...]
    fault: str | None

    @property
    def custom(self) -> bool:
        """Whether tokens are any JWTs, not OpenID Connect's ID tokens."""
        return self.jwks is not None

    @property
    def source(self) -> tuple[str, str | None]:
        """What the keys depend on: providers that share it share their keys."""
        return self.issuer, self.jwks

    def __str__(self) -> str:
        kind, name = ("CustomJWT", "issuer") if self.custom else ("OIDC", "domain")
        audience = "none" if self.application_id is None else self.application_id
        return f"{kind}({name}={self.issuer}, app_id={audience})"


def read_providers(described: Sequence[ProviderDescription], *, development: bool) -> tuple[Provider, ...]:
    """Return the providers of an app. Never fails: see `Provider.fault`."""
    return tuple(_read(entry, development) for entry in described)


def _read(entry: ProviderDescription, development: bool) -> Provider:
    custom = entry.type == "customJwt"
    given = (entry.issuer if custom else entry.domain) or ""
    issuer = full_address(given)
    jwks = entry.jwks or "" if custom else None
    algorithm = entry.algorithm
    address = issuer if jwks is None else jwks
    fault = None
    if "://" not in given and not _named_host(urlsplit(issuer).hostname or ""):
        fault = f"{given!r} is not the address of an issuer"
    elif custom and algorithm not in ALGORITHMS:
        fault = f"algorithm {algorithm!r} is not one of {', '.join(ALGORITHMS)}"
    elif not address.startswith("data:"):
        fault = _fault_of(address, development)
    algorithms = (str(algorithm),) if custom else ALGORITHMS
    return Provider(issuer, entry.application_id, jwks, algorithms, fault)


def full_address(issuer: str) -> str:
    """Return an issuer's address with a scheme and without slashes at its end: the form in which they are compared."""
    return (issuer if "://" in issuer else f"https://{issuer}").rstrip("/")


def same_issuer(one: str, other: str) -> bool:
    """Return whether two spellings name one issuer."""
    return full_address(one) == full_address(other)


def _named_host(host: str) -> bool:
    """Whether a host that was given without a scheme may be one: so a forgotten variable's rest is not asked for keys."""
    last = host.rpartition(".")
    return host == "localhost" or (bool(last[0]) and last[2].isalpha() and len(last[2]) > 1)


def _fault_of(address: str, development: bool) -> str | None:
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return f"{address!r} is not an address"
    if not usable or parts.scheme not in ("http", "https"):
        return f"{address!r} is not an http(s) address"
    if not permitted(parts, development=development):
        return f"{address!r} is fetched over https only, outside of development"
    return None


def permitted(address: SplitResult, *, development: bool) -> bool:
    """Return whether keys may come from there: over https, or http in development and from this machine."""
    if address.scheme == "http":
        return development or is_loopback(address.hostname or "")
    return address.scheme == "https"


def choose_provider(providers: Sequence[Provider], token: ParsedToken, *, development: bool) -> Provider:
    """Return the provider whose keys must have signed the token.

    Raises:
        TokenRefused: none fits issuer and audience.
    """
    issuer = full_address(token.issuer)
    named = [provider for provider in providers if provider.issuer == issuer]
    for provider in named:
        if provider.application_id is None or provider.application_id in token.audiences:
            return provider
    if named:
        wanted = ", ".join(repr(provider.application_id) for provider in named)
        reason = f"the audience (aud) is {shown(list(token.audiences))}, {named[0].issuer} needs {wanted}"
    else:
        reason = f"the issuer (iss) {shown(token.issuer)} is not in auth_config.py"
    raise TokenRefused(NO_PROVIDER, reason, message=_with_list(providers, reason) if development else None)


def _with_list(providers: Sequence[Provider], reason: str) -> str:
    if not providers:
        return "No auth provider found matching the given token (no providers configured): add auth_config.py"
    listed = ", ".join(map(str, providers))
    return f"No auth provider found matching the given token: {reason}. The configured providers: [{listed}]"


def check_form(provider: Provider, token: ParsedToken) -> None:
    """Refuse a token whose form the provider does not allow.

    Raises:
        TokenRefused: another algorithm, no key id in a custom JWT, several audiences of an ID token.
    """
    if token.algorithm not in provider.algorithms:
        raise TokenRefused(
            NOT_VERIFIED,
            f"algorithm {token.algorithm} is not accepted from {provider.issuer}, only {provider.algorithms[0]}",
        )
    if provider.custom:
        if token.key_id is None:
            raise TokenRefused(
                NOT_VERIFIED, "the JWT is missing a 'kid' (key ID) header, which custom JWTs need"
            )
    elif len(token.audiences) > 1:
        raise TokenRefused(NOT_VERIFIED, "the token is for several audiences (aud); an ID token is for one")
