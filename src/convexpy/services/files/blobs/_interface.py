"""What a deployment needs of a store of blobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import NamedTuple, Protocol

from convexpy.errors import Error, Unavailable


class BlobMissing(Error):
    """There is no blob of that name."""


class StorageFailed(Unavailable, code="FileStorageFailed"):
    """The disk or the object store refused: full, unreachable, not permitted."""


class BlobInfo(NamedTuple):
    """One blob; `modified_ms` is when it was completed, in milliseconds since the epoch."""

    name: str
    size: int
    modified_ms: float


class LocalFile(NamedTuple):
    """A blob as a file of this machine; who asked for it removes it when `temporary`."""

    path: Path
    temporary: bool


class BlobStore(Protocol):
    """Blobs by name. Names are uuids, made by the caller, each used once. Methods run on one event loop."""

    @property
    def spool(self) -> Path:
        """A folder for files that are to be adopted, and for temporary ones."""
        ...

    async def start(self) -> None:
        """Make the store ready; remove what an earlier process had begun and not ended."""
        ...

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a blob. If `chunks` raises, or this is cancelled, there is none; on return it is durable.

        Raises:
            StorageFailed: it could not be written; there is none.
        """
        ...

    async def adopt(self, name: str, path: Path) -> None:
        """Make a complete file in `spool` a blob; the file is gone afterwards.

        Raises:
            StorageFailed: it could not be written; there is no blob.
        """
        ...

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return bytes `start` to `end` (not included) in chunks, read ahead by one; to be closed.

        Raises:
            BlobMissing: there is none. Once chunks come, a short blob raises StorageFailed.
        """
        ...

    async def local(self, name: str) -> LocalFile:
        """Return the blob as a file.

        Raises:
            BlobMissing: there is none.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""
        ...

    def list(self) -> AsyncIterator[BlobInfo]:
        """Return every blob, in any order."""
        ...

    async def close(self) -> None:
        """Release threads and connections."""
        ...
