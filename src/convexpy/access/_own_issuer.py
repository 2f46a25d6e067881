"""The deployment as an issuer of tokens: its own signing keys, which verify without any I/O."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from convexpy.access._jwks import KeySet, SigningKey
from convexpy.access._providers import Provider, full_address
from convexpy.access._refusals import NOT_VERIFIED, TokenRefused, shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM: Final = "ES256"
AUDIENCE: Final = "convex"
"""The audience of the deployment's own tokens, as with Convex Auth."""
COORDINATE_BYTES: Final = 32


class OwnKey(msgspec.Struct, frozen=True):
    """A signing key. `private` is PEM; times are milliseconds since the epoch. It signs nothing since `retired_at`."""

    key_id: str
    private: str
    created_at: float
    retired_at: float | None = None

    @classmethod
    def create(cls, now_ms: float) -> OwnKey:
        """Return a new key, whose id is made from its public part (RFC 7638)."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        members = _public_members(private)
        thumbprint = hashlib.sha256(msgspec.json.encode(members, order="sorted")).digest()
        return cls(_base64url(thumbprint), pem.decode(), now_ms)


class _Loaded(msgspec.Struct, frozen=True):
    key: OwnKey
    private: Any
    public: dict[str, str]


class OwnIssuer:
    """Signs and verifies the deployment's own tokens. `address` is the issuer: the origin of the site."""

    def __init__(self, address: str) -> None:
        self.name: str = full_address(address)
        self.provider: Provider = Provider(self.name, AUDIENCE, None, (ALGORITHM,), None)
        self._loaded: tuple[_Loaded, ...] = ()
        self._keys = KeySet([])

    @property
    def keys(self) -> tuple[OwnKey, ...]:
        """The keys that are trusted, the newest first."""
        return tuple(each.key for each in self._loaded)

    def trust(self, keys: Sequence[OwnKey]) -> None:
        """Trust these keys from now on, and no others; the newest that is not retired signs."""
        self._loaded = tuple(sorted(map(_load, keys), key=lambda each: -each.key.created_at))
        self._keys = KeySet([SigningKey(dict(each.public)) for each in self._loaded])

    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys as a JSON Web Key Set has them."""
        return [dict(each.public) for each in self._loaded]

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims, beside issuer and audience.

        Raises:
            LookupError: every key is retired.
        """
        import jwt

        signing = next((each for each in self._loaded if each.key.retired_at is None), None)
        if signing is None:
            raise LookupError("no signing key")
        headers = {"kid": signing.key.key_id}
        whole = {"iss": self.name, "aud": AUDIENCE, **claims}
        return jwt.encode(whole, signing.private, algorithm=ALGORITHM, headers=headers)

    # As a source of keys, like `KeySource`; nothing is ever fetched.

    def key_for(self, algorithm: str, key_id: str | None) -> SigningKey:
        """Return the key of this id.

        Raises:
            TokenRefused: there is none.
        """
        key = self._keys.find(algorithm, key_id)
        if key is None:
            raise TokenRefused(
                NOT_VERIFIED, f"the deployment has no key {shown(key_id)}: it was rotated away"
            )
        return key

    def may_search(self) -> bool:
        """Return False: all keys are here."""
        return False

    async def refresh(self) -> None:
        """Do nothing: all keys are here."""


def _load(key: OwnKey) -> _Loaded:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private: Any = load_pem_private_key(key.private.encode(), None)
    public = {**_public_members(private), "kid": key.key_id, "alg": ALGORITHM, "use": "sig"}
    return _Loaded(key, private, public)


def _public_members(private: EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
