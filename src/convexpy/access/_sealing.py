"""Secrets as they are stored: encrypted with a key that is kept outside the data.

A sealed value is `aes-gcm:1:<key id>:<base64 of nonce + ciphertext>`, bound to its name and to the deployment, so that no
value can be moved to another name or into another deployment's data.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass

from convexpy.errors import Error

KEY_VARIABLE = "CONVEXPY_SECRET_KEY"
SEALED = "aes-gcm:1:"
NONCE_BYTES = 12


class SecretKeyError(Error, code="SecretKeyMissing"):
    """Stored values cannot be decrypted with the key at hand, or the key is unusable."""


@dataclass(frozen=True)
class Sealer:
    """Seals and opens the secrets of one deployment. Without a key nothing can be sealed or opened."""

    key: bytes | None
    deployment_id: str

    @property
    def _key_id(self) -> str:
        return hashlib.sha256(b"key id" + (self.key or b"")).hexdigest()[:8]

    def _bound_to(self, name: str) -> bytes:
        return f"{self.deployment_id}\0{name}".encode()

    def seal(self, name: str, value: str) -> str:
        """Return a value as it is stored under this name.

        Raises:
            SecretKeyError: there is no key.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self.key is None:
            raise SecretKeyError("there is no key to encrypt variables with")
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(self.key).encrypt(nonce, value.encode(), self._bound_to(name))
        return f"{SEALED}{self._key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, name: str, stored: str) -> str:
        """Return a sealed value in plain text.

        Raises:
            SecretKeyError: it was encrypted with another key, or was changed.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, _, data = stored.removeprefix(SEALED).partition(":")
        if self.key is None or key_id != self._key_id:
            raise SecretKeyError(
                f"the variable {name} is encrypted with the key {key_id}, which is neither in {KEY_VARIABLE} nor in the "
                "file beside the data folder",
                hint="bring the key along with the data, or start with a new data folder",
            )
        sealed = base64.b64decode(data)
        try:
            plain = AESGCM(self.key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound_to(name))
        except InvalidTag as error:
            raise SecretKeyError(
                f"the stored value of {name} was changed, or is of another deployment"
            ) from error
        return plain.decode()
