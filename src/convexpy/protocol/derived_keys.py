"""Keys for single purposes, derived from the instance secret.

Executors run app code, so they get these instead of the secret: from one of them follows neither the secret nor
another key.
"""

from __future__ import annotations

import hmac


def cursor_key(secret: str) -> bytes:
    """Return the key that encrypts cursors: 64 bytes, for AES-256-SIV."""
    return _derived(secret, b"convexpy cursors", 64)


def upload_key(secret: str) -> bytes:
    """Return the key that signs upload addresses: 32 bytes, for HMAC-SHA256."""
    return _derived(secret, b"convexpy uploads", 32)


def code_key(secret: str) -> bytes:
    """Return the key under which one-time codes are hashed: 32 bytes, for HMAC-SHA256."""
    return _derived(secret, b"convexpy one-time codes", 32)


def _derived(secret: str, purpose: bytes, length: int) -> bytes:
    """Return HKDF-SHA256 (RFC 5869) without a salt; written out, for the library takes 8 MiB of an idle server."""
    extracted = hmac.digest(bytes(32), secret.encode(), "sha256")
    key, block = b"", b""
    while len(key) < length:
        block = hmac.digest(extracted, block + purpose + bytes([len(key) // 32 + 1]), "sha256")
        key += block
    return key[:length]
