"""Blobs as objects of an S3 bucket, or of anything that speaks S3: `s3://BUCKET/PREFIX`.

Endpoint, region and credentials come from the environment: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and whatever else the AWS tools know. Content is sent in parts, so memory
stays constant; an object appears when all its parts are there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from convexpy.errors import Error
from convexpy.runtime import pauses
from convexpy.services.files.blobs._interface import BlobInfo, BlobMissing, LocalFile, StorageFailed

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

PART_BYTES = 16 * 1024 * 1024
"""S3 takes 10,000 parts: files of up to 156 GiB."""
PARTS_AT_ONCE = 3
READ_BYTES = 256 * 1024
RETRY_FOR = timedelta(seconds=20)


def _store(url: str) -> tuple[S3Store, str]:
    """Return the bucket's store and the prefix of all names."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise Error(
            "files in S3 need the package obstore", code="MissingPackage", hint="pip install 'convexpy[s3]'"
        ) from None
    parts = urlsplit(url)
    if not parts.netloc:
        raise Error(f"{url} names no bucket: s3://BUCKET/PREFIX", code="BadStorage")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config: S3Config = {} if endpoint is None else {"endpoint": endpoint}
    plain = (endpoint or "").startswith("http://")
    store = S3Store(
        parts.netloc,
        config=config,
        client_options={"allow_http": plain},
        retry_config={"max_retries": 4, "retry_timeout": RETRY_FOR},
    )
    prefix = parts.path.strip("/")
    return store, f"{prefix}/" if prefix else ""


class S3BlobStore:
    """The same as `FolderBlobStore`, over a bucket; files for actions pass through the folder `spool`."""

    def __init__(self, url: str, *, spool: Path) -> None:
        self._store, self._prefix = _store(url)
        self.spool = spool

    async def start(self) -> None:
        """Empty the spool; find out whether the bucket can be reached.

        Raises:
            StorageFailed: it cannot.
        """
        await asyncio.to_thread(shutil.rmtree, self.spool, ignore_errors=True)
        await asyncio.to_thread(self.spool.mkdir, parents=True)
        with _refusals("cannot be listed"):
            async for _ in self._list(1):
                break

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Send the content in parts; if it breaks off, the parts are given up."""
        import obstore

        failed: list[BaseException] = []

        async def watched() -> AsyncIterator[bytes]:
            try:
                async for chunk in chunks:
                    yield chunk
            except BaseException as error:
                failed.append(error)  # the library would wrap it
                raise

        try:
            with _refusals(f"did not take {name}"):
                await obstore.put_async(
                    self._store,
                    self._prefix + name,
                    watched(),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
        except StorageFailed:
            if failed:
                raise failed[0] from None
            raise

    async def adopt(self, name: str, path: Path) -> None:
        """Send a file of the spool and remove it."""
        import obstore

        pauses.reach("files.before_adopt")
        with _refusals(f"did not take {name}"):
            await obstore.put_async(
                self._store,
                self._prefix + name,
                path,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return a part of an object as it comes."""
        import obstore

        with _refusals(f"did not give {name}"):
            if start >= end:
                await obstore.head_async(self._store, self._prefix + name)
                return _nothing()
            found = await obstore.get_async(self._store, self._prefix + name, options={"range": (start, end)})
        return _chunks(found, end - start)

    async def local(self, name: str) -> LocalFile:
        """Fetch an object into a temporary file."""
        import obstore

        path = self.spool / f"get-{uuid.uuid4()}"
        try:
            with _refusals(f"did not give {name}"):
                found = await obstore.get_async(self._store, self._prefix + name)
                file = await asyncio.to_thread(path.open, "xb", buffering=0)
                try:
                    async for chunk in found.stream(min_chunk_size=1024 * 1024):
                        await asyncio.to_thread(file.write, bytes(chunk))
                finally:
                    file.close()
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return LocalFile(path, temporary=True)

    async def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        import obstore

        with _refusals(f"did not delete {name}"), contextlib.suppress(FileNotFoundError):
            pauses.reach("files.before_unlink")
            await obstore.delete_async(self._store, self._prefix + name)

    async def list(self) -> AsyncIterator[BlobInfo]:
        """Return every object below the prefix."""
        with _refusals("cannot be listed"):
            async for found in self._list(1000):
                name = found["path"].removeprefix(self._prefix)
                yield BlobInfo(name, found["size"], found["last_modified"].timestamp() * 1000)

    async def _list(self, at_once: int) -> AsyncIterator[Any]:
        import obstore

        async for batch in obstore.list(self._store, self._prefix or None, chunk_size=at_once):
            for found in batch:
                yield found

    async def close(self) -> None:
        """Remove what is left in the spool."""
        await asyncio.to_thread(shutil.rmtree, self.spool, ignore_errors=True)


@contextlib.contextmanager
def _refusals(what: str) -> Generator[None, None, None]:
    """Turn what the library raises into our own errors."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing(f"the bucket {what}: {error}") from error
    except (BaseError, OSError, RuntimeError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise StorageFailed(f"the bucket {what}: {first}") from error


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""


async def _chunks(found: Any, size: int) -> AsyncGenerator[bytes, None]:
    left = size
    with _refusals("broke off"):
        async for chunk in found.stream(min_chunk_size=READ_BYTES):
            left -= len(chunk)
            yield bytes(chunk)
    if left:
        raise StorageFailed(f"the blob ends {left} bytes early")
