"""Stored files as documents of `_storage`: addresses, metadata and deletion inside a transaction.

The bytes are the server's business; here a file is its document, whose private field `urlKey` is the unguessable part
of its address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from convexpy.database import Transaction
from convexpy.errors import DocumentNotFound
from convexpy.execution.settings import ExecutorSettings
from convexpy.functions import QueryPlan

TABLE = "_storage"
FILES = "_file_storage"
UPLOAD_AGE_MS = 3_600_000


def url(transaction: Transaction, id: str, origin: str) -> str | None:
    """Return the address of the file, or None if there is no such file."""
    if transaction.get(id, TABLE, system=True) is None:
        return None
    plan = QueryPlan(FILES, "by_storage_id", equal=(("storageId", id),), system=True)
    before, transaction.is_privileged = transaction.is_privileged, True
    try:
        file = transaction.first(plan)
    finally:
        transaction.is_privileged = before
    return None if file is None else f"{origin}/api/storage/{file['urlKey']}"


def metadata(transaction: Transaction, id: str) -> dict[str, Any] | None:
    """Return `storageId sha256 size contentType`, or None."""
    document = transaction.get(id, TABLE, system=True)
    if document is None:
        return None
    return {
        "storageId": id,
        "sha256": document["sha256"],
        "size": document["size"],
        "contentType": document.get("contentType"),
    }


def delete(transaction: Transaction, id: str) -> None:
    """Delete the file's document; its bytes go later.

    Raises:
        DocumentNotFound: there is no such file.
    """
    if transaction.get(id, TABLE, system=True) is None:
        raise DocumentNotFound(f"storage id {id} not found", code="StorageIdNotFound")
    transaction.system_delete(TABLE, id)


def upload_token(secret: str, now_ms: int) -> str:
    """Return a token that lets its holder upload until it is an hour old."""
    issued = str(now_ms).encode()
    signature = hmac.new(secret.encode(), b"upload:" + issued, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(issued + b"." + signature).decode().rstrip("=")


def upload_url(settings: ExecutorSettings, now_ms: int) -> str:
    """Return the address to which a client may upload for an hour."""
    return f"{settings.cloud_url}/api/storage/upload?token={upload_token(settings.secret, now_ms)}"
