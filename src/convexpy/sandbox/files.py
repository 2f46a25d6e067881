"""Files as documents: what `ctx.storage` reads and writes inside a transaction.

App code sees `_storage` documents. `_file_storage` maps each to the uuid that its URL and its bytes are named by; a
deleted file keeps that record, with `deletedAt`, until its bytes are gone.
"""

from __future__ import annotations

import base64
from typing import Any

from convexpy.database import Transaction
from convexpy.errors import ArgumentError, DocumentNotFound
from convexpy.functions import QueryPlan
from convexpy.values import decode_id

FILES = "_storage"
BLOBS = "_file_storage"
FILE_PATH = "/api/storage/"


class StorageIdNotFound(DocumentNotFound):
    """A file to delete does not exist."""


def blob_of(transaction: Transaction, index: str, field: str, value: str) -> dict[str, Any] | None:
    """Return the record in `_file_storage`, also of a deleted file."""
    before = transaction.is_privileged
    transaction.is_privileged = True
    try:
        return transaction.first(QueryPlan(BLOBS, index, equal=((field, value),), system=True))
    finally:
        transaction.is_privileged = before


def find_file(transaction: Transaction, id: str, method: str) -> dict[str, Any] | None:
    """Return the `_storage` document, or None.

    Raises:
        ArgumentError: `id` is not a valid id, or is of another table.
    """
    if transaction.normalize_id(FILES, id, system=True) is not None:
        return transaction.get(id, FILES, system=True)
    if decode_id(id) is None:
        text = f"Invalid argument `storageId` for `{method}`: Unable to decode ID: {id!r}"
    else:
        text = f"Invalid argument `storageId` for `{method}`, expected ID for table `{FILES}`, got an ID of another: {id}"
    raise ArgumentError(text, code="InvalidId")


def file_url(transaction: Transaction, id: str, cloud_url: str) -> str | None:
    """Return where a file can be downloaded, or None if there is none."""
    if find_file(transaction, id, "storage.get_url") is None:
        return None
    blob = blob_of(transaction, "by_storage_id", "storageId", id)
    return None if blob is None else f"{cloud_url}{FILE_PATH}{blob['uuid']}"


def file_metadata(transaction: Transaction, id: str) -> dict[str, Any] | None:
    """Return `storageId sha256 size contentType`, the checksum in hex, or None if there is no such file."""
    found = find_file(transaction, id, "storage.get_metadata")
    if found is None:
        return None
    return {
        "storageId": found["_id"],
        "sha256": base64.b64decode(found["sha256"]).hex(),
        "size": found["size"],
        "contentType": found.get("contentType"),
    }


def delete_file(transaction: Transaction, id: str, now_ms: int) -> None:
    """Delete a file: from the commit on it is gone for everybody, its bytes are removed later.

    Raises:
        StorageIdNotFound: there is none.
        ArgumentError: `id` is not a valid id of a file.
    """
    if find_file(transaction, id, "storage.delete") is None:
        raise StorageIdNotFound(f"storage id {id} not found")
    transaction.system_delete(FILES, id)
    blob = blob_of(transaction, "by_storage_id", "storageId", id)
    if blob is not None:
        transaction.system_patch(BLOBS, blob["_id"], {"deletedAt": now_ms})
