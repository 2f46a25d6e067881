"""The deployment issues tokens: for actions of the app, through `convexpy.auth`.

The signing keys are in the data, sealed with the key that also encrypts variables. Where they cannot be opened, because
data was restored without that key, new ones are made with the next token: what the old ones have signed is refused.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from convexpy.access import OwnIssuer, OwnKey, Sealer, SecretKeyError
from convexpy.engine.system_functions import SystemFunctions
from convexpy.limits import ISSUED_TOKEN_S_MAX, SIGNING_KEY_S_MAX, TOKEN_CLOCK_SKEW_S
from convexpy.protocol.admin_api import SigningKeyInfo
from convexpy.protocol.frames import Call, CallFailure, Request
from convexpy.protocol.system.signing_keys import SealedKey, StoreSigningKeys
from convexpy.runtime import Clock
from convexpy.values import decode_wire, encode_wire

logger: logging.Logger = logging.getLogger("convexpy.access")
KEPT_MS = (ISSUED_TOKEN_S_MAX + TOKEN_CLOCK_SKEW_S) * 1000


class _Wanted(msgspec.Struct, rename="camel"):
    """The token that an action asks for."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    session_id: Annotated[str, msgspec.Meta(max_length=256)]
    lifetime_ms: Annotated[float, msgspec.Meta(gt=0, le=ISSUED_TOKEN_S_MAX * 1000)]


@dataclass(kw_only=True, eq=False)
class TokenIssuer:
    """Signs tokens, and makes, rotates and forgets the keys for that.

    `stored` are the keys found at the start; `code_key` makes digests of one-time codes.
    """

    address: str
    code_key: bytes
    sealer: Sealer
    stored: Sequence[SealedKey]
    system: SystemFunctions
    clock: Clock

    def __post_init__(self) -> None:
        self._lock = asyncio.Lock()
        self.own: OwnIssuer = OwnIssuer(self.address)
        self.own.trust([key for sealed in self.stored for key in self._opened(sealed)])

    def _opened(self, sealed: SealedKey) -> list[OwnKey]:
        try:
            private = self.sealer.open(_name(sealed.key_id), sealed.sealed)
        except SecretKeyError as error:
            logger.warning("a signing key is not used any more, its tokens are refused: %s", error.message)
            return []
        return [OwnKey(sealed.key_id, private, sealed.created_at, sealed.retired_at)]

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Answer an action: `token_issue` returns `token` and `expiresAt` (ms), `token_keys` what the issuer publishes."""
        if request.operation == "token_keys":
            return encode_wire({"issuer": self.own.name, "keys": self.published()}), None
        if request.operation == "token_digest":
            text: str = decode_wire(request.payload)["text"]
            return encode_wire(hmac.digest(self.code_key, text.encode(), "sha256").hex()), None
        try:
            wanted = msgspec.convert(decode_wire(request.payload), _Wanted)
        except msgspec.ValidationError as error:
            return b"null", CallFailure(
                "ArgumentError", f"a token cannot be issued: {error}", function=call.path
            )
        token, expires_at_ms = await self.issue(wanted.subject, wanted.session_id, wanted.lifetime_ms)
        return encode_wire({"token": token, "expiresAt": expires_at_ms}), None

    async def issue(self, subject: str, session_id: str, lifetime_ms: float) -> tuple[str, float]:
        """Return a token, and when it expires in milliseconds since the epoch."""
        now_ms = self._now_ms()
        if self._is_due(now_ms):
            async with self._lock:
                if self._is_due(now_ms):
                    await self._keep([OwnKey.create(now_ms), *self._retired(now_ms)])
        issued_s = int(now_ms // 1000)
        expires_s = issued_s + max(int(lifetime_ms // 1000), 1)
        claims = {"sub": subject, "sid": session_id, "iat": issued_s, "exp": expires_s}
        return self.own.sign(claims), expires_s * 1000.0

    def published(self) -> list[dict[str, str]]:
        """Return the public keys whose tokens may still be valid."""
        now_ms = self._now_ms()
        current = {key.key_id for key in self.own.keys if not _is_over(key, now_ms)}
        return [key for key in self.own.public_keys() if key["kid"] in current]

    def listed(self) -> list[SigningKeyInfo]:
        """Return what can be told of every key, the newest first."""
        return [SigningKeyInfo(key.key_id, key.created_at, key.retired_at) for key in self.own.keys]

    async def rotate(self, *, revoke: bool) -> list[SigningKeyInfo]:
        """Sign with a new key from now on; return what can be told of every key.

        Tokens of the old ones are accepted until they expire, or with `revoke` not any more.
        """
        async with self._lock:
            now_ms = self._now_ms()
            await self._keep([OwnKey.create(now_ms), *([] if revoke else self._retired(now_ms))])
        return self.listed()

    def _is_due(self, now_ms: float) -> bool:
        signing = next((key for key in self.own.keys if key.retired_at is None), None)
        return signing is None or now_ms - signing.created_at >= SIGNING_KEY_S_MAX * 1000

    def _retired(self, now_ms: float) -> list[OwnKey]:
        return [
            msgspec.structs.replace(key, retired_at=key.retired_at or now_ms)
            for key in self.own.keys
            if not _is_over(key, now_ms)
        ]

    async def _keep(self, keys: list[OwnKey]) -> None:
        """Store keys, then use them: no token is signed with one that the next start would not know."""
        sealed = [
            SealedKey(
                key.key_id, self.sealer.seal(_name(key.key_id), key.private), key.created_at, key.retired_at
            )
            for key in keys
        ]
        await self.system.run(StoreSigningKeys(sealed))
        self.own.trust(keys)

    def now_s(self) -> float:
        """Return the time by which tokens are issued, in seconds since the epoch."""
        return self.clock.now_ns() / 1e9

    def _now_ms(self) -> float:
        return self.clock.now_ns() / 1e6


def _name(key_id: str) -> str:
    """Return what a key is sealed for; it cannot be the name of a variable."""
    return f"signing-key:{key_id}"


def _is_over(key: OwnKey, now_ms: float) -> bool:
    return key.retired_at is not None and now_ms - key.retired_at > KEPT_MS
