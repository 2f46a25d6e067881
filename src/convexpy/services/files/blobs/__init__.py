"""Where the bytes of files are: a folder, or an S3 bucket.

A blob is written once, as a whole, under a random name; it is visible only when it is complete and durable. Which blobs
belong to a file is none of this room's business.
"""

from convexpy.services.files.blobs._content import (
    Content as Content,
    batched as batched,
    read_sha256 as read_sha256,
    sha256_base64 as sha256_base64,
    too_large as too_large,
)
from convexpy.services.files.blobs._folder import NAME as NAME, FolderBlobStore as FolderBlobStore
from convexpy.services.files.blobs._interface import (
    BlobInfo as BlobInfo,
    BlobMissing as BlobMissing,
    StorageFailed as StorageFailed,
)
from convexpy.services.files.blobs._opening import BlobStore as BlobStore, open_blob_store as open_blob_store
