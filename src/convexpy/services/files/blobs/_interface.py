"""What stores of blobs give and raise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

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
