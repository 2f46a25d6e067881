"""Admin keys: `<deployment name>|<hex>`.

Format of the hex part: one version byte, an 8-byte key id, then the secret part.

- Version 2: 24 random bytes. The record of the key holds the SHA-256 of all of it: who reads the data, the instance secret
  included, can make no key from it.
- Version 1: HMAC-SHA256(instance secret, version + key id). The first key of a development server, which has no record,
  opens everything and lasts; and keys made before version 2.

What a key may do and until when is in its record, found by the id. Comparison takes constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.access._access import FULL_ACCESS, Access, KeyKind
from convexpy.errors import RequestError

VERSION = 1
HASHED_VERSION = 2
KEY_ID_BYTES = 8
KEY_RANDOM_BYTES = 24
SECRET_BYTES = 32
PREFIX_LENGTH = 2 + 6
"""Hex digits of a key that lists may show: the version and three bytes of the id."""


class InvalidKey(RequestError):
    """The key is malformed, of another deployment, forged, revoked or expired."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The provided deploy key was invalid for deployment '{name}'. Double check that the environment this key "
            "was generated for matches the desired deployment.",
            status=403,
            code="BadDeployKey",
        )


class KeyRecord(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What is kept of a key: never the key. Times are milliseconds since the epoch; `digest` is SHA-256 in hex."""

    key_id: str
    digest: str = ""
    name: str
    kind: KeyKind
    functions: tuple[str, ...] = ()
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None


def create_instance_secret() -> str:
    """Return a fresh secret for a deployment, as hex."""
    return os.urandom(SECRET_BYTES).hex()


def create_hashed_key(name: str) -> tuple[str, str, str]:
    """Return a new key of the deployment `name`, its id, and the digest by which it is known."""
    key_id = os.urandom(KEY_ID_BYTES)
    raw = bytes([HASHED_VERSION]) + key_id + os.urandom(KEY_RANDOM_BYTES)
    return f"{name}|{raw.hex()}", key_id.hex(), hashlib.sha256(raw).hexdigest()


def shown_prefix(name: str, key_id: str, *, hashed: bool = False) -> str:
    """Return as much of a key as tells it from others."""
    version = HASHED_VERSION if hashed else VERSION
    return f"{name}|{bytes([version]).hex()}{key_id}"[: len(name) + 1 + PREFIX_LENGTH]


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """An admin key that was verified; `acting_as` holds the claims of a user it acts for. The first key has no record."""

    access: Access
    acting_as: dict[str, Any] | None
    record: KeyRecord | None = None


class AdminKeys:
    """Creates and verifies the admin keys of one deployment.

    `first_key` is the one made with the data folder. `literal_keys` are accepted as they stand, whatever their form: for
    tools with a key built in, never by default.
    """

    def __init__(
        self,
        name: str,
        instance_secret: str,
        *,
        first_key: str = "",
        literal_keys: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.records: dict[str, KeyRecord] = {}
        self.find_unknown: Callable[[str], KeyRecord | None] = lambda key_id: None
        self._secret = bytes.fromhex(instance_secret)
        self._literal = [_digest(key) for key in literal_keys]
        self.first_id: str = first_key.partition("|")[2][2 : 2 + 2 * KEY_ID_BYTES]

    def _signature(self, key_id: bytes) -> bytes:
        return hmac.new(self._secret, b"admin-key" + bytes([VERSION]) + key_id, hashlib.sha256).digest()

    def create(self) -> str:
        """Return a new key of version 1."""
        key_id = os.urandom(KEY_ID_BYTES)
        return f"{self.name}|{(bytes([VERSION]) + key_id + self._signature(key_id)).hex()}"

    def verify(self, key: str, now_ms: float) -> ParsedKey:
        """Return what a key says. `prod:name|secret` and a `:<base64 JSON>` suffix are understood.

        Raises:
            InvalidKey: it is not a key of this deployment, or no longer one.
        """
        bare, acting = self._split(key)
        if any([hmac.compare_digest(_digest(bare), known) for known in self._literal]):  # noqa: C419 - all of them, always
            return ParsedKey(FULL_ACCESS, _acting_as(acting))
        left, bar, secret = bare.partition("|")
        kind, colon, rest = left.partition(":")
        if colon and kind in ("prod", "dev", "preview", "project"):
            left = rest
        try:
            raw = bytes.fromhex(secret) if bar else b""
        except ValueError:
            raw = b""
        if left != self.name:
            raise InvalidKey(self.name)
        record = (
            self._hashed(raw, now_ms) if raw[:1] == bytes([HASHED_VERSION]) else self._signed(raw, now_ms)
        )
        access = FULL_ACCESS if record is None else Access(record.kind, record.functions)
        return ParsedKey(access, _acting_as(acting), record)

    def _split(self, key: str) -> tuple[str, str]:
        """Cut the acting-as identity off: base64 behind the last colon of the secret."""
        left, bar, secret = key.partition("|")
        secret, _, acting = secret.partition(":")
        return left + bar + secret, acting

    def _signed(self, raw: bytes, now_ms: float) -> KeyRecord | None:
        """Check a key of version 1; its record, or None for the first key."""
        key_id, signature = raw[1 : 1 + KEY_ID_BYTES], raw[1 + KEY_ID_BYTES :]
        genuine = hmac.compare_digest(signature, self._signature(key_id))
        if raw[:1] != bytes([VERSION]) or not genuine:
            raise InvalidKey(self.name)
        if key_id.hex() == self.first_id:
            return None
        record = self.records.get(key_id.hex())
        # A record with a digest is of a key of version 2: the instance secret must not be enough to act for it.
        if record is None or record.digest:
            raise InvalidKey(self.name)
        return self._unexpired(record, now_ms)

    def _hashed(self, raw: bytes, now_ms: float) -> KeyRecord:
        """Check a key of version 2."""
        key_id = raw[1 : 1 + KEY_ID_BYTES].hex()
        record = self.records.get(key_id) or self.find_unknown(key_id)
        if record is None or not hmac.compare_digest(hashlib.sha256(raw).hexdigest(), record.digest):
            raise InvalidKey(self.name)
        self.records[key_id] = record
        return self._unexpired(record, now_ms)

    def _unexpired(self, record: KeyRecord, now_ms: float) -> KeyRecord:
        if record.expires_at is not None and record.expires_at <= now_ms:
            raise InvalidKey(self.name)
        return record


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _acting_as(encoded: str) -> dict[str, Any] | None:
    if not encoded:
        return None
    try:
        claims = json.loads(base64.b64decode(encoded))
        if not isinstance(claims, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, binascii.Error) as error:
        raise RequestError("malformed acting-as identity", code="HeaderParseFailure") from error
    return complete_identity(claims)


def complete_identity(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims with a `tokenIdentifier`, made from issuer and subject where it is missing."""
    if "tokenIdentifier" not in claims:
        if "issuer" not in claims or "subject" not in claims:
            raise RequestError(
                "an identity needs a tokenIdentifier, or an issuer and a subject", code="HeaderParseFailure"
            )
        claims = {**claims, "tokenIdentifier": f"{claims['issuer']}|{claims['subject']}"}
    return claims
