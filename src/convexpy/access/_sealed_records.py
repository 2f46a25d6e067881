"""Records of keys that are made beside the server, sealed with the instance secret.

Whoever can write a file into the data folder could otherwise make an admin key; code that functions run may be able to,
and cannot seal without the secret.
"""

from __future__ import annotations

import hmac

import msgspec

from convexpy.access._keys import KeyRecord


class _Sealed(msgspec.Struct):
    record: msgspec.Raw
    seal: str


def _seal(secret: str, record: bytes) -> str:
    return hmac.digest(secret.encode(), b"new-key\0" + record, "sha256").hex()


def seal_record(secret: str, record: KeyRecord) -> bytes:
    """Return the content of the file of a new key."""
    encoded = msgspec.json.encode(record)
    return msgspec.json.encode(_Sealed(msgspec.Raw(encoded), _seal(secret, encoded)))


def open_record(secret: str, content: bytes) -> KeyRecord | None:
    """Return the record in such a file, or None if it was not sealed with this secret.

    Raises:
        msgspec.MsgspecError: it is something else.
    """
    sealed = msgspec.json.decode(content, type=_Sealed)
    if not secret or not hmac.compare_digest(sealed.seal, _seal(secret, bytes(sealed.record))):
        return None
    return msgspec.json.decode(sealed.record, type=KeyRecord)
