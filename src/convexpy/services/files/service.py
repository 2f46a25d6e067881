"""Files of a deployment: bytes in a blob store, documents in the database, and the order between the two.

Stored: first the bytes are durable, then the documents are committed. Deleted: first the documents are gone for good, an
hour later the bytes. What a crash leaves in between are bytes that no document names; they are swept after a day.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.system_functions import SystemFunctions
from convexpy.errors import ArgumentError, Error, LimitExceeded, RequestError
from convexpy.limits import STORAGE_ORPHAN_S, STORAGE_SWEEP_EVERY_S, STORAGE_UNLINK_AFTER_S
from convexpy.protocol.frames import Call, CallFailure, Request
from convexpy.protocol.system import SystemCall
from convexpy.protocol.system.files import (
    AddFile,
    DeleteFiles,
    FindFile,
    FindServedFile,
    ForgetBlobs,
    GetFileMetadata,
    GetFileUrl,
    ListUnknownBlobs,
    ListUnlinkable,
    StoredFile,
)
from convexpy.protocol.upload_tokens import check_upload_token, upload_url
from convexpy.runtime import Clock, pauses
from convexpy.services.files.blobs import BlobStore, Content, batched, read_sha256, sha256_base64
from convexpy.values import encode_wire

logger: logging.Logger = logging.getLogger("convexpy.files")
CONTENT_TYPE_LENGTH_MAX = 1024
HASH_BYTES = 1024 * 1024
NAMES_AT_ONCE = 500
_CONTENT_TYPE = re.compile(r"[\x20-\x7e\xa0-\xff]*")
_SPOOLED = re.compile(r"store-[0-9a-f-]{36}")


@dataclass(kw_only=True, eq=False)
class FileService:
    """Stores, finds and removes files. Upload addresses are bound to the name of the deployment; `size_max` is in bytes."""

    blobs: BlobStore
    system: SystemFunctions
    background: BackgroundTasks
    clock: Clock
    deployment: str
    cloud_url: str
    upload_key: bytes
    size_max: int

    def __post_init__(self) -> None:
        self._sweeping = asyncio.Lock()

    async def start(self) -> None:
        """Make the store ready, and sweep it from now on."""
        await self.blobs.start()
        self.background.start(self._sweep_regularly())

    async def close(self) -> None:
        """Release the store."""
        await self.blobs.close()

    def now_ms(self) -> int:
        """Return the clock."""
        return self.clock.now_ns() // 1_000_000

    # Uploads

    def upload_url(self) -> str:
        """Return an address that takes uploads for an hour."""
        return upload_url(self.cloud_url, self.upload_key, self.deployment, self.now_ms())

    def check_token(self, token: str | None) -> None:
        """Refuse a token that opens no uploads (RequestError, 401)."""
        check_upload_token(token, self.upload_key, self.deployment, self.now_ms())

    async def store(
        self, chunks: AsyncIterator[bytes], content_type: str | None, expected_sha256: bytes | None
    ) -> str:
        """Store a file as it comes; return its id. Whatever goes wrong, there is no file.

        Raises:
            RequestError: too large, of another digest, or of a content type that cannot be sent back.
            StorageFailed: the store refused.
        """
        check_content_type(content_type)
        name = str(uuid.uuid4())
        content = Content(batched(chunks), expected=expected_sha256, size_max=self.size_max)
        async with contextlib.aclosing(content.stream()) as stream:
            await self.blobs.put(name, stream)
        return await self._add(name, content.sha256, content.size, content_type)

    async def _adopt(self, path: Path, content_type: str | None, expected_sha256: bytes | None) -> str:
        """Store a file that an action has put into the spool."""
        check_content_type(content_type)
        if path.stat().st_size > self.size_max:
            text = f"the file is larger than the limit file_bytes: {self.size_max}"
            raise LimitExceeded(text, limit="file_bytes")
        digest, size = await asyncio.to_thread(_measure, path)
        if expected_sha256 is not None and digest != expected_sha256:
            found, wanted = sha256_base64(digest), sha256_base64(expected_sha256)
            raise ArgumentError(
                f"Sha256Mismatch: the content has sha256 {found}, not {wanted}", code="Sha256Mismatch"
            )
        name = str(uuid.uuid4())
        await self.blobs.adopt(name, path)
        return await self._add(name, digest, size, content_type)

    async def _add(self, name: str, digest: bytes, size: int, content_type: str | None) -> str:
        pauses.reach("files.before_document")
        try:
            id = await self.system.run(AddFile(name, sha256_base64(digest), size, content_type))
        except Error:
            # Refused for certain. (After an unknown outcome or a crash the sweep decides.)
            await self.blobs.delete(name)
            raise
        pauses.reach("files.after_document")
        return id

    # Downloads

    async def find(self, name: str) -> StoredFile | None:
        """Return what a URL stands for, as of now; None if there is nothing, or no longer."""
        return await self.system.run(FindServedFile(name))

    async def delete(self, ids: list[str]) -> None:
        """Delete files in one transaction.

        Raises:
            RequestError: one of them does not exist; then none is deleted.
        """
        outcome = await self.system.attempt(DeleteFiles(ids))
        if outcome.failure is not None:
            missing = outcome.failure.code in ("StorageIdNotFound", "InvalidId")
            text = outcome.failure.detail.removeprefix("Uncaught ").partition(": ")[2]
            raise RequestError(text, code=outcome.failure.code, status=404 if missing else 503)

    # Actions

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Answer what an action asks of `ctx.storage`."""
        payload: dict[str, Any] = msgspec.json.decode(request.payload)
        try:
            match request.operation:
                case "storage_upload_url":
                    return encode_wire(self.upload_url()), None
                case "storage_url":
                    return await self._passed_on(GetFileUrl(payload["id"]))
                case "storage_metadata":
                    return await self._passed_on(GetFileMetadata(payload["id"]))
                case "storage_delete":
                    return await self._passed_on(DeleteFiles([payload["id"]]))
                case "storage_get":
                    return await self._get(payload["id"])
                case _:
                    return encode_wire(await self._store_spooled(payload)), None
        except RequestError as error:
            return b"null", CallFailure(
                ArgumentError.default_code, f"{error.code}: {error.message}", function=call.path
            )
        except LimitExceeded as error:
            return b"null", CallFailure(error.code, error.message, limit=error.limit, function=call.path)
        except Error as error:
            detail = f"{type(error).__name__}: {error.message}"
            return b"null", CallFailure(error.code, detail, function=call.path)

    async def _passed_on(self, call: SystemCall[Any]) -> tuple[bytes, CallFailure | None]:
        outcome = await self.system.attempt(call)
        return outcome.value, outcome.failure

    async def _get(self, id: str) -> tuple[bytes, CallFailure | None]:
        call = FindFile(id)
        outcome = await self.system.attempt(call)
        if outcome.failure is not None:
            return outcome.value, outcome.failure
        found = call.decode_result(outcome.value)
        if found is None:
            return b"null", None
        local = await self.blobs.local(found.uuid)
        described = {
            "path": str(local.path),
            "temporary": local.temporary,
            "size": found.size,
            "sha256": base64.b64decode(found.sha256).hex(),
            "contentType": found.content_type,
        }
        return encode_wire(described), None

    async def _store_spooled(self, payload: dict[str, Any]) -> str:
        spooled = str(payload["spooled"])
        if not _SPOOLED.fullmatch(spooled):
            raise ArgumentError(f"{spooled!r} is not a file in the spool")
        expected = payload.get("sha256")
        digest = None if expected is None else read_sha256(str(expected))
        if expected is not None and digest is None:
            raise ArgumentError(f"{expected!r} is not a SHA-256 digest: 32 bytes in base64 or hex")
        return await self._adopt(self.blobs.spool / spooled, payload.get("contentType"), digest)

    # Sweeping

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                await self.sweep()
            except Error as error:
                logger.warning("files could not be swept: %s", error)
            await asyncio.sleep(STORAGE_SWEEP_EVERY_S)

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Remove no bytes inside of the block: a reader of an older moment may still want them."""
        async with self._sweeping:
            yield

    async def sweep(self) -> None:
        """Remove the bytes of files that were deleted long enough ago, and bytes that never became a file."""
        async with self._sweeping:
            await self._unlink_deleted()
            await self._remove_orphans()
            await asyncio.to_thread(_tidy, self.blobs.spool)

    async def _unlink_deleted(self) -> None:
        before = self.now_ms() - STORAGE_UNLINK_AFTER_S * 1000
        while True:
            found = await self.system.run(ListUnlinkable(before))
            if not found:
                return
            for blob in found:
                await self.blobs.delete(blob.uuid)
            await self.system.run(ForgetBlobs([blob.id for blob in found]))

    async def _remove_orphans(self) -> None:
        before = self.now_ms() - STORAGE_ORPHAN_S * 1000
        old: list[str] = []
        async for blob in self.blobs.list():
            if blob.modified_ms < before:
                old.append(blob.name)
            if len(old) == NAMES_AT_ONCE:
                await self._remove_unknown(old)
                old = []
        if old:
            await self._remove_unknown(old)

    async def _remove_unknown(self, names: list[str]) -> None:
        for name in await self.system.run(ListUnknownBlobs(names)):
            logger.info("removing the blob %s: no file has it", name)
            await self.blobs.delete(name)


def check_content_type(content_type: str | None) -> None:
    """Refuse what cannot be sent back as a header (RequestError `BadHeader`)."""
    if content_type is None:
        return
    if len(content_type) > CONTENT_TYPE_LENGTH_MAX or not _CONTENT_TYPE.fullmatch(content_type):
        raise RequestError("the content type cannot be sent in a header", code="BadHeader")


def _tidy(spool: Path) -> None:
    """Remove what actions have left that were killed; nobody writes to a file of yesterday."""
    before = time.time() - STORAGE_ORPHAN_S
    for path in spool.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()


def _measure(path: Path) -> tuple[bytes, int]:
    """Return digest and size of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(HASH_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.digest(), size
