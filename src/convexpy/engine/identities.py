"""Who is calling: admin keys and users' tokens, over HTTP and on sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from convexpy.access import Caller, ParsedKey, TokenRefused, TokenVerifier, Verified, complete_identity
from convexpy.errors import AuthError, RequestError
from convexpy.protocol import sync
from convexpy.protocol.app_description import ProviderDescription
from convexpy.runtime import Signal

logger: logging.Logger = logging.getLogger("convexpy.access")
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class KeyVerifier(Protocol):
    """Knows the admin keys."""

    def verify(self, key: str) -> ParsedKey:
        """Return what a key says, or raise InvalidKey."""
        ...


class Identities:
    """Turns keys and tokens into callers."""

    def __init__(self, *, keys: KeyVerifier, tokens: TokenVerifier) -> None:
        self._keys = keys
        self._tokens = tokens
        self._providers: tuple[ProviderDescription, ...] = ()
        self.providers_changed: Signal[[]] = Signal()
        """Tokens of other issuers are accepted from now on."""
        self._verifying: set[asyncio.Task[None]] = set()

    def of_key(self, key: str, acting_as: dict[str, Any] | None = None) -> Caller:
        """Return the caller of an admin key.

        Raises:
            RequestError: the key is not valid or may not act for users, or the identity is malformed.
        """
        parsed = self._keys.verify(key)
        claims = parsed.acting_as or (complete_identity(acting_as) if acting_as else None)
        if claims is not None:
            parsed.access.require("actAsUser")
        record = parsed.record
        expires_at = None if record is None else record.expires_at
        return Caller(
            b"" if claims is None else _encode_sorted(claims),
            parsed.access,
            None if expires_at is None else expires_at / 1000,
            key_id="" if record is None else record.key_id,
        )

    def trust(self, providers: tuple[ProviderDescription, ...]) -> None:
        """Accept tokens of these issuers from now on; users signed in by another one are signed out."""
        if providers != self._providers:
            self._providers = providers
            self._tokens.configure(providers)
            self.providers_changed()

    async def of_token(self, token: str) -> Caller:
        """Return the caller of a user's token, which may need the issuer's keys to be fetched.

        Raises:
            TokenRefused: it is not valid; the reason is logged.
        """
        try:
            return _caller(self._tokens.verify_cached(token) or await self._tokens.verify(token))
        except TokenRefused as refused:
            logger.info("a token was refused: %s", refused.reason)
            raise

    def authenticate(self, message: sync.Authenticate, done: Callable[[Caller | AuthError], None]) -> None:
        """Check the token or key of an Authenticate message; `done` is called at once unless keys must be fetched."""
        if message.token_type == "None":
            done(Caller())
        elif message.token_type == "Admin":
            try:
                caller = self.of_key(message.value, message.impersonating or message.acting_as)
            except RequestError as error:
                done(AuthError(error.message))
                return
            done(caller)
        else:
            self._authenticate_user(message.value, done)

    def _authenticate_user(self, token: str, done: Callable[[Caller | AuthError], None]) -> None:
        try:
            verified = self._tokens.verify_cached(token)
        except TokenRefused as refused:
            logger.info("a token was refused: %s", refused.reason)
            done(refused)
            return
        if verified is not None:
            done(_caller(verified))
            return

        async def fetch() -> None:
            try:
                caller = await self.of_token(token)
            except AuthError as error:
                done(error)
            except Exception:
                logger.exception("a token could not be checked")
                done(AuthError("the token could not be checked"))
            else:
                done(caller)

        task = asyncio.get_running_loop().create_task(fetch())
        self._verifying.add(task)
        task.add_done_callback(self._verifying.discard)

    async def close(self) -> None:
        """Drop what is being fetched."""
        for task in list(self._verifying):
            task.cancel()
        await asyncio.gather(*self._verifying, return_exceptions=True)
        await self._tokens.close()


def _caller(verified: Verified) -> Caller:
    return Caller(_encode_sorted(verified.claims), None, verified.expires_at_s)
