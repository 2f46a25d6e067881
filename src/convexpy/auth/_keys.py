"""Admin keys: `<deployment name>|<hex>`.

Format of the hex part: one version byte, an 8-byte key id, then HMAC-SHA256(instance secret, version + key id). So a key
is verified without a table, and names an id by which it can be revoked. Comparison takes constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from typing import Any

from convexpy.errors import RequestError

VERSION = 1
KEY_ID_BYTES = 8
SECRET_BYTES = 32


class InvalidKey(RequestError):
    """The key is malformed, of another deployment, or forged."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The provided deploy key was invalid for deployment '{name}'. Double check that the environment this key "
            "was generated for matches the desired deployment.",
            status=403,
            code="BadDeployKey",
        )


def create_instance_secret() -> str:
    """Return a fresh secret for a deployment, as hex."""
    return os.urandom(SECRET_BYTES).hex()


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """An admin key that was verified; `acting_as` holds the claims of a user it acts for."""

    key_id: str
    acting_as: dict[str, Any] | None


class AdminKeys:
    """Creates and verifies the admin keys of one deployment."""

    def __init__(self, name: str, instance_secret: str) -> None:
        self.name = name
        self._secret = bytes.fromhex(instance_secret)

    def _signature(self, key_id: bytes) -> bytes:
        return hmac.new(self._secret, b"admin-key" + bytes([VERSION]) + key_id, hashlib.sha256).digest()

    def create(self) -> str:
        """Return a new admin key."""
        key_id = os.urandom(KEY_ID_BYTES)
        return f"{self.name}|{(bytes([VERSION]) + key_id + self._signature(key_id)).hex()}"

    def verify(self, key: str) -> ParsedKey:
        """Return what a key says, or raise InvalidKey. `prod:name|secret` and a `:<base64 JSON>` suffix are understood."""
        left, bar, secret = key.partition("|")
        if not bar:
            raise InvalidKey(self.name)
        kind, colon, rest = left.partition(":")
        if colon and kind in ("prod", "dev", "preview", "project"):
            left = rest
        secret, _, acting = secret.partition(":")
        try:
            raw = bytes.fromhex(secret)
        except ValueError:
            raw = b""
        key_id, signature = raw[1 : 1 + KEY_ID_BYTES], raw[1 + KEY_ID_BYTES :]
        genuine = hmac.compare_digest(signature, self._signature(key_id))
        if left != self.name or raw[:1] != bytes([VERSION]) or not genuine:
            raise InvalidKey(self.name)
        return ParsedKey(key_id.hex(), _acting_as(acting) if acting else None)


def _acting_as(encoded: str) -> dict[str, Any]:
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
