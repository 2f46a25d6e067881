"""Where the bytes of files are: a folder, an S3 bucket, or memory for tests.

A blob is written once, as a whole, under a random name; it is visible only when it is complete and durable. Which blobs
belong to a file is none of this room's business.
"""

from convexpy.services.files.blobs._content import Content, batched, sha256_base64
from convexpy.services.files.blobs._folder import FolderBlobStore
from convexpy.services.files.blobs._interface import BlobInfo, BlobMissing, BlobStore, StorageFailed
from convexpy.services.files.blobs._memory import MemoryBlobStore
from convexpy.services.files.blobs._opening import open_blob_store

__all__ = [
    "BlobInfo",
    "BlobMissing",
    "BlobStore",
    "Content",
    "FolderBlobStore",
    "MemoryBlobStore",
    "StorageFailed",
    "batched",
    "open_blob_store",
    "sha256_base64",
]
