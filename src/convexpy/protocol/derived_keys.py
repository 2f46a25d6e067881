"""Keys for single purposes, derived from the instance secret.

Executors run app code, so they get these instead of the secret: from one of them follows neither the secret nor
another key.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def cursor_key(secret: str) -> bytes:
    """Return the key that encrypts cursors: 64 bytes, for AES-256-SIV."""
    return _derived(secret, b"convexpy cursors", 64)


def upload_key(secret: str) -> bytes:
    """Return the key that signs upload addresses: 32 bytes, for HMAC-SHA256."""
    return _derived(secret, b"convexpy uploads", 32)


def _derived(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(secret.encode())
