"""Keys for single purposes are HKDF's, as the library that everybody uses makes them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from convexpy.protocol.derived_keys import cursor_key, upload_key


@pytest.mark.parametrize("secret", ["", "s", "0123456789abcdef" * 4, "ü" * 100])
def test_they_are_hkdf_of_the_secret(secret: str) -> None:
    def derived(purpose: bytes, length: int) -> bytes:
        return HKDF(SHA256(), length, salt=None, info=purpose).derive(secret.encode())

    assert cursor_key(secret) == derived(b"convexpy cursors", 64)
    assert upload_key(secret) == derived(b"convexpy uploads", 32)
