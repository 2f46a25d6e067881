"""Sets of public keys (JWKS): what an issuer publishes, and which of its keys must have signed a token."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from convexpy.access._refusals import NOT_VERIFIED, TokenRefused, shown
from convexpy.access._tokens import ParsedToken
from convexpy.limits import (
    ISSUER_ANSWER_BYTES_MAX,
    ISSUER_KEYS_MAX,
    RSA_KEY_BITS_MAX,
    RSA_KEY_BITS_MIN,
)

if TYPE_CHECKING:
    from jwt import PyJWK


# Key type and curve → the one algorithm such a key is for, and the members that make the public key.
KINDS: Final[dict[tuple[str, str | None], tuple[str, tuple[str, ...]]]] = {
    ("RSA", None): ("RS256", ("kty", "n", "e")),
    ("EC", "P-256"): ("ES256", ("kty", "crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("kty", "crv", "x")),
}
NAMES: Final = {"RS256": ("RS256",), "ES256": ("ES256",), "EdDSA": ("EdDSA", "Ed25519")}
"""What a key may give as its `alg`: Ed25519 is the newer name of what tokens call EdDSA."""


class KeySetError(Exception):
    """A set of keys, or the way to it, is broken. The text says how, and holds no key."""


class SigningKey:
    """One key of a set. `fault` says why it cannot verify anything; a set may hold keys for other purposes."""

    __slots__ = ("_key", "algorithm", "fault", "key_id", "signature_bytes")

    def __init__(self, jwk: dict[str, Any]) -> None:
        key_id = jwk.get("kid")
        self.key_id: str | None = key_id if isinstance(key_id, str) else None
        self.algorithm: str | None = None
        self.signature_bytes: int = 64
        self._key: PyJWK | None = None
        self.fault: str | None = self._load(jwk)

    def _load(self, jwk: dict[str, Any]) -> str | None:
        kind, curve = jwk.get("kty"), jwk.get("crv")
        known = KINDS.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
        if known is None:
            return f"is of type {shown(kind)}" + (f" on curve {shown(curve)}" if curve is not None else "")
        algorithm, members = known
        if jwk.get("alg") is not None and jwk["alg"] not in NAMES[algorithm]:
            return f"is for algorithm {shown(jwk['alg'])}"
        if jwk.get("use", "sig") != "sig" or "verify" not in _operations(jwk):
            return "is not for signatures"
        return self._construct(algorithm, {name: jwk.get(name) for name in members})

    def _construct(self, algorithm: str, public: dict[str, Any]) -> str | None:
        from jwt import PyJWK, PyJWTError

        try:
            # Only the public members: a private key that was published by mistake is not even read.
            key = PyJWK(public, algorithm)
        except (PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            return "is malformed"
        if algorithm == "RS256":
            bits: int = key.key.key_size
            if not RSA_KEY_BITS_MIN <= bits <= RSA_KEY_BITS_MAX:
                return f"has {bits} bits, not {RSA_KEY_BITS_MIN} to {RSA_KEY_BITS_MAX}"
            self.signature_bytes = (bits + 7) // 8
        self.algorithm, self._key = algorithm, key
        return None

    def verify(self, token: ParsedToken) -> str | None:
        """Return None when this key signed the token, else what is wrong with the signature."""
        if self._key is None or token.algorithm != self.algorithm:
            return "the key does not fit the algorithm"
        if len(token.signature) != self.signature_bytes:
            return f"the signature has {len(token.signature)} bytes instead of {self.signature_bytes}"
        if self._key.Algorithm.verify(token.signed, self._key.key, token.signature):
            return None
        if token.foreign_key is not None:
            return f"the signature is not by the issuer's key; a key brought by the token ({token.foreign_key}) is not used"
        return "the signature is not by the issuer's key"


def _operations(jwk: dict[str, Any]) -> list[Any]:
    operations = jwk.get("key_ops", ["verify"])
    return operations if isinstance(operations, list) else []


class KeySet:
    """The keys of one issuer."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, algorithm: str, key_id: str | None) -> SigningKey | None:
        """Return the key of that id for that algorithm; None when the set has no key of that id.

        Raises:
            TokenRefused: the key does not fit the algorithm; or no id was given, and not exactly one key fits.
        """
        if key_id is None:
            fitting = [key for key in self._keys if key.algorithm == algorithm]
            if len(fitting) == 1:
                return fitting[0]
            raise TokenRefused(
                NOT_VERIFIED,
                f"the header has no key id (kid), and {len(fitting)} keys of the issuer are for {algorithm}",
            )
        named = [key for key in self._keys if key.key_id == key_id]
        for key in named:
            if key.algorithm == algorithm:
                return key
        if not named:
            return None
        fault = named[0].fault or f"is for algorithm {named[0].algorithm}"
        raise TokenRefused(
            NOT_VERIFIED, f"key {shown(key_id)} does not fit the token's algorithm {algorithm}: it {fault}"
        )


def read_key_set(text: bytes) -> KeySet:
    """Return the keys of a JSON Web Key Set; keys that cannot be used are kept, to say so when a token names them.

    Raises:
        KeySetError: it is not a key set, or has too many keys.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise KeySetError("Invalid JWKS response body: it is not valid JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise KeySetError("Invalid JWKS response body: it has no list of keys")
    if len(keys) > ISSUER_KEYS_MAX:
        raise KeySetError(f"the key set has {len(keys)} keys, more than {ISSUER_KEYS_MAX}")
    return KeySet([SigningKey(jwk) for jwk in keys if isinstance(jwk, dict)])


def read_data_url(address: str) -> bytes:
    """Return what a `data:` URL holds, in base64 or percent-encoded.

    Raises:
        KeySetError: it is malformed, or holds too much.
    """
    description, comma, data = address.removeprefix("data:").partition(",")
    if not comma:
        raise KeySetError("the data URL of the keys has no comma before its data")
    content = unquote_to_bytes(data)
    if description.lower().endswith(";base64"):
        plain = b"".join(content.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
        try:
            content = base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
        except ValueError:
            raise KeySetError("the data URL of the keys is not base64") from None
    if len(content) > ISSUER_ANSWER_BYTES_MAX:
        raise KeySetError(f"the data URL of the keys holds more than {ISSUER_ANSWER_BYTES_MAX} bytes")
    return content
