"""Verification of end users' tokens against the issuers of an app's `auth_config.py`."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from convexpy.access._claims import check_times, identity_of
from convexpy.access._fetching import KeyFetcher
from convexpy.access._jwks import KeySet, SigningKey, read_data_url, read_key_set
from convexpy.access._key_sources import KeySource
from convexpy.access._own_issuer import OwnIssuer
from convexpy.access._providers import Provider, check_form, choose_provider, read_providers
from convexpy.access._refusals import (
    DISCOVERY_FAILED,
    EXPIRED,
    NO_PROVIDER,
    NOT_VERIFIED,
    TokenRefused,
    shown,
)
from convexpy.access._tokens import ParsedToken, check_length, parse_token
from convexpy.limits import VERIFIED_TOKENS_MAX
from convexpy.protocol.app_description import ProviderDescription


class Verified(msgspec.Struct, frozen=True):
    """What a valid token says. It is shared by all who send the token: `claims` must not be changed."""

    claims: dict[str, Any]
    """As `get_user_identity` shows them: `tokenIdentifier`, `subject`, `issuer` and all that the issuer says."""
    expires_at_s: float
    """Seconds since the epoch from which the token is refused; the tolerated clock skew is in it."""


class _Remembered(msgspec.Struct, frozen=True):
    """A token that was verified, and the key whose trust it hangs on."""

    verified: Verified
    source: KeySource | OwnIssuer
    key: SigningKey
    algorithm: str
    key_id: str | None
    custom: bool


@contextmanager
def _refusals_of(*, custom: bool) -> Generator[None, None, None]:
    try:
        yield
    except TokenRefused as refused:
        if custom:
            raise refused.of_custom_jwt() from None
        raise


class TokenVerifier:
    """Verifies tokens. All its methods are to be called on one event loop."""

    def __init__(
        self,
        *,
        development: bool,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        fetcher: KeyFetcher | None = None,
        own: OwnIssuer | None = None,
    ) -> None:
        """Make a verifier that trusts nobody yet.

        Args:
            development: Whether issuers may be asked over http and in private networks, and refusals say why.
            now: The time, in seconds since the epoch.
            monotonic: A clock that never goes back, in seconds.
            fetcher: How issuers are asked; by default over HTTP.
            own: The deployment as an issuer, trusted as soon as it has keys.
        """
        self._development = development
        self._now = now
        self._monotonic = monotonic
        self._fetcher = fetcher or KeyFetcher(development=development)
        self._own = own
        self._providers: tuple[Provider, ...] = ()
        self._sources: dict[tuple[str, str | None], KeySource] = {}
        self._dropped: list[KeySource] = []
        self._remembered: dict[bytes, _Remembered] = {}

    def configure(self, providers: Sequence[ProviderDescription]) -> None:
        """Trust these providers from now on, and no others; keys of issuers that stay are kept. Asks no issuer.

        Args:
            providers: As `AuthConfig.describe` returns them. A broken one makes its own tokens refused, no others.
        """
        self._providers = read_providers(providers, development=self._development)
        self._remembered.clear()
        wanted = {provider.source: provider for provider in self._providers if provider.fault is None}
        # A fetch that is under way ends by itself within seconds; who waits for it is judged by the new providers.
        self._dropped = [source for source in self._dropped if source.busy]
        self._dropped += [self._sources.pop(name) for name in self._sources.keys() - wanted.keys()]
        for name, provider in wanted.items():
            if name not in self._sources:
                self._sources[name] = KeySource(provider.issuer, self._loader(provider), self._monotonic)

    def _loader(self, provider: Provider) -> Callable[[], Awaitable[KeySet]]:
        issuer, jwks = provider.source
        if jwks is None:
            return lambda: self._fetcher.discovered(issuer)
        if not jwks.startswith("data:"):
            return lambda: self._fetcher.at(jwks)

        async def written_down() -> KeySet:
            return read_key_set(read_data_url(jwks))

        return written_down

    def verify_cached(self, token: str) -> Verified | None:
        """Return what a token says, without any I/O; None when the keys of its issuer must be fetched first.

        Raises:
            TokenRefused: the token is not valid.
        """
        try:
            return self._verify(token)
        except TokenRefused as refused:
            if self._development and refused.code != NO_PROVIDER:
                raise refused.in_full() from None
            raise

    async def verify(self, token: str) -> Verified:
        """Return what a token says; fetches the keys of its issuer if that is needed.

        Raises:
            TokenRefused: the token is not valid, or the keys cannot be had.
        """
        asked: KeySource | OwnIssuer | None = None
        while True:
            found = self.verify_cached(token)
            if found is not None:
                return found
            parsed = parse_token(token)
            provider = choose_provider(self._trusted(), parsed, development=False)
            source = self._source(provider)
            if source is asked:
                raise self._still_unknown(provider, source, parsed.key_id)
            await source.refresh()
            asked = source

    def _still_unknown(
        self, provider: Provider, source: KeySource | OwnIssuer, key_id: str | None
    ) -> TokenRefused:
        reason = f"the JWT's 'kid' (key ID) header is {shown(key_id)}; {source.name} has no such key"
        refused = TokenRefused(NOT_VERIFIED, reason)
        refused = refused.of_custom_jwt() if provider.custom else refused
        return refused.in_full() if self._development else refused

    def _verify(self, token: str) -> Verified | None:
        check_length(token)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(digest)
        if known is not None and known.source.key_for(known.algorithm, known.key_id) is known.key:
            with _refusals_of(custom=known.custom):
                return self._not_expired(known.verified)
        parsed = parse_token(token)
        provider = choose_provider(self._trusted(), parsed, development=self._development)
        with _refusals_of(custom=provider.custom):
            return self._verify_by(provider, parsed, digest)

    def _verify_by(self, provider: Provider, parsed: ParsedToken, digest: bytes) -> Verified | None:
        check_form(provider, parsed)
        source = self._source(provider)
        expires_at_s = check_times(parsed.claims, self._now(), issued=not provider.custom)
        claims = identity_of(parsed.claims, custom=provider.custom)
        key = source.key_for(parsed.algorithm, parsed.key_id)
        if key is None:
            return None
        wrong = key.verify(parsed)
        if wrong is not None:
            if parsed.key_id is None and source.may_search():
                return None  # without an id, a new key looks like a wrong signature
            raise TokenRefused(NOT_VERIFIED, wrong)
        verified = Verified(claims, expires_at_s)
        remembered = _Remembered(verified, source, key, parsed.algorithm, parsed.key_id, provider.custom)
        while len(self._remembered) >= VERIFIED_TOKENS_MAX:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[digest] = remembered
        return verified

    def _not_expired(self, verified: Verified) -> Verified:
        now = self._now()
        if now >= verified.expires_at_s:
            raise TokenRefused(EXPIRED, f"Token expired {now - verified.expires_at_s:.0f} seconds ago (exp)")
        return verified

    def _trusted(self) -> tuple[Provider, ...]:
        if self._own is None or not self._own.keys:
            return self._providers
        return (self._own.provider, *self._providers)

    def _source(self, provider: Provider) -> KeySource | OwnIssuer:
        if self._own is not None and provider is self._own.provider:
            return self._own
        if provider.fault is not None:
            raise TokenRefused(DISCOVERY_FAILED, f"auth_config.py: {provider.fault}")
        return self._sources[provider.source]

    async def close(self) -> None:
        """End the fetches that are under way."""
        await asyncio.gather(*(source.close() for source in [*self._sources.values(), *self._dropped]))
