"""Bytes on their way into a store: gathered, measured, hashed and checked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

from convexpy.errors import RequestError

BATCH_BYTES = 512 * 1024


def sha256_base64(digest: bytes) -> str:
    """Return a digest as Convex writes it."""
    return base64.b64encode(digest).decode()


def read_sha256(text: str) -> bytes | None:
    """Return a digest given in base64 or in hex; None if it is neither."""
    with contextlib.suppress(ValueError):
        digest = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
        return digest if len(digest) == 32 else None
    return None


async def batched(chunks: AsyncIterator[bytes], size: int = BATCH_BYTES) -> AsyncIterator[bytes]:
    """Yield the same bytes in larger pieces: each costs a change of threads."""
    parts: list[bytes] = []
    gathered = 0
    async for chunk in chunks:
        parts.append(chunk)
        gathered += len(chunk)
        if gathered >= size:
            yield b"".join(parts)
            parts.clear()
            gathered = 0
    if parts:
        yield b"".join(parts)


class Content:
    """Chunks that are measured and hashed while they pass; what is wrong with them is raised before they end.

    `size` and `sha256` (the digest) are valid at the end.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        expected: bytes | None = None,
        size_max: int | None = None,
    ) -> None:
        self._chunks = chunks
        self._expected = expected
        self._size_max = size_max
        self._hash = hashlib.sha256()
        self.size: int = 0

    @property
    def sha256(self) -> bytes:
        """The digest of what has passed."""
        return self._hash.digest()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the chunks, once; each is hashed while its receiver writes it.

        Raises:
            RequestError: too large (413), or not of the expected digest (400).
        """
        loop = asyncio.get_running_loop()
        hashing: asyncio.Future[None] | None = None
        try:
            async for chunk in self._chunks:
                self.size += len(chunk)
                if self._size_max is not None and self.size > self._size_max:
                    raise too_large(self._size_max)
                if hashing is not None:
                    await asyncio.shield(hashing)
                hashing = loop.run_in_executor(None, self._hash.update, chunk)
                yield chunk
        finally:
            if hashing is not None:
                await asyncio.wait([hashing])
        if self._expected is not None and self.sha256 != self._expected:
            raise digest_mismatch(self._expected, self.sha256)


def digest_mismatch(expected: bytes, found: bytes) -> RequestError:
    """Return the error for content that is not what its sender says."""
    return RequestError(
        f"the content has sha256 {sha256_base64(found)}, not {sha256_base64(expected)}", code="Sha256Mismatch"
    )


def too_large(size_max: int) -> RequestError:
    """Return the error for a file beyond the limit."""
    return RequestError(
        f"the file is larger than the limit file_bytes: {size_max}", status=413, code="FileTooLarge"
    )
