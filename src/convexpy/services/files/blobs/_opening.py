"""From the setting that says where files are, to the store."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from convexpy.errors import Error
from convexpy.services.files.blobs._folder import FolderBlobStore
from convexpy.services.files.blobs._s3 import S3BlobStore

BlobStore: TypeAlias = FolderBlobStore | S3BlobStore


def open_blob_store(setting: str | None, data: Path) -> BlobStore:
    """Return the store at `s3://BUCKET/PREFIX` or in a folder; None is `DATA/storage`.

    Raises:
        Error: the address makes no sense, or the package for it is missing.
    """
    if setting is None:
        return FolderBlobStore(data / "storage")
    scheme, separator, _ = setting.partition("://")
    if not separator:
        return FolderBlobStore(Path(setting))
    if scheme != "s3":
        raise Error(
            f"files cannot be stored at {setting}: give a folder or s3://BUCKET/PREFIX", code="BadStorage"
        )
    return S3BlobStore(setting, spool=data / "spool")
