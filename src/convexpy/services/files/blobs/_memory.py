"""Blobs in memory, for tests; files on their way from and to actions are in a temporary folder."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from convexpy.runtime import Clock
from convexpy.services.files.blobs._interface import BlobInfo, BlobMissing, LocalFile

READ_BYTES = 256 * 1024


class MemoryBlobStore:
    """Implements `BlobStore` without a disk."""

    def __init__(self, spool: Path, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._blobs: dict[str, tuple[bytes, float]] = {}

    @property
    def spool(self) -> Path:
        """Where files to adopt are."""
        return self._spool

    async def start(self) -> None:
        """Make the spool."""
        self._spool.mkdir(parents=True, exist_ok=True)

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep the bytes."""
        content = b"".join([chunk async for chunk in chunks])
        self._blobs[name] = (content, self._clock.now_ns() / 1e6)

    async def adopt(self, name: str, path: Path) -> None:
        """Keep the bytes of a file and remove it."""
        self._blobs[name] = (path.read_bytes(), self._clock.now_ns() / 1e6)
        path.unlink()

    def _content(self, name: str) -> bytes:
        if name not in self._blobs:
            raise BlobMissing(f"there is no blob {name}")
        return self._blobs[name][0]

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return a part of the bytes in chunks."""
        content = self._content(name)

        async def chunks() -> AsyncGenerator[bytes, None]:
            for position in range(start, end, READ_BYTES):
                yield content[position : min(position + READ_BYTES, end)]

        return chunks()

    async def local(self, name: str) -> LocalFile:
        """Write the bytes into a temporary file."""
        path = self._spool / f"get-{uuid.uuid4()}"
        path.write_bytes(self._content(name))
        return LocalFile(path, temporary=True)

    async def delete(self, name: str) -> None:
        """Forget the bytes."""
        self._blobs.pop(name, None)

    async def list(self) -> AsyncIterator[BlobInfo]:
        """Return every blob."""
        for name, (content, modified_ms) in list(self._blobs.items()):
            yield BlobInfo(name, len(content), modified_ms)

    async def close(self) -> None:
        """Forget nothing: the process ends anyway."""
