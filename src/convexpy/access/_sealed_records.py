"""Records of keys that are made beside the server, sealed with the instance secret.

Whoever can write a file into the data folder could otherwise make an admin key; code that functions run may be able to,
and cannot seal without the secret.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import time
from pathlib import Path

import msgspec

from convexpy.access._access import KeyKind
from convexpy.access._keys import KeyRecord, create_hashed_key, shown_prefix
from convexpy.protocol.admin_api import NewKey
from convexpy.runtime import PRIVATE_FOLDER, write_private

NEW_KEYS_FOLDER = "new-keys"
"""The folder of a data folder where such records wait until the server takes them."""


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


def leave_key(
    data: Path,
    deployment: str,
    secret: str,
    *,
    name: str,
    kind: KeyKind,
    functions: tuple[str, ...] = (),
    expires_at: float | None = None,
    owner: os.stat_result | None = None,
) -> NewKey:
    """Leave the record of a new key in a data folder; return the key, which is nowhere else.

    `owner` is whose the files are to be, where that is not who writes them.

    Raises:
        OSError: it cannot be written.
    """
    key, key_id, digest = create_hashed_key(deployment)
    created_at = time.time() * 1000
    record = KeyRecord(
        key_id=key_id,
        digest=digest,
        name=name,
        kind=kind,
        functions=functions,
        created_at=created_at,
        expires_at=expires_at,
    )
    folder = data / NEW_KEYS_FOLDER
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if owner is not None:
        with contextlib.suppress(AttributeError, PermissionError):
            os.chown(folder, owner.st_uid, owner.st_gid)
    write_private(folder / f"{key_id}.json", seal_record(secret, record), owner=owner)
    return NewKey(
        key=key,
        prefix=shown_prefix(deployment, key_id, hashed=True),
        name=name,
        kind=kind,
        functions=functions,
        created_at=created_at,
        expires_at=expires_at,
    )
