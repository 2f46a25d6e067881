"""`ctx.storage`: files."""

from __future__ import annotations

import contextlib
import shutil
import uuid
import weakref
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from typing_extensions import TypedDict

from convexpy.errors import ArgumentError
from convexpy.functions._awaited import Requests
from convexpy.functions._host import ActionHost, CallHost
from convexpy.values import StorageId

_Content: TypeAlias = bytes | bytearray | memoryview | BinaryIO | Path | Iterable[bytes]
_CHUNK_BYTES = 256 * 1024
_BUFFER_BYTES = 256 * 1024


class StorageMetadata(TypedDict):
    """What `get_metadata` gives, with Convex's keys; `sha256` is hex."""

    storageId: StorageId
    sha256: str
    size: int
    contentType: str | None


class _File:
    """A stored file: what the engine says about it, and where its bytes are."""

    __slots__ = ("__weakref__", "_described")

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        if described.get("temporary"):
            weakref.finalize(self, _remove, self._path)

    @property
    def content_type(self) -> str | None:
        """The media type, if one was given."""
        found: str | None = self._described.get("contentType")
        return found

    @property
    def size(self) -> int:
        """The size in bytes."""
        return int(self._described["size"])

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hex."""
        return str(self._described["sha256"])

    @property
    def _path(self) -> Path:
        return Path(self._described["path"])


class SyncStoredFile(_File):
    """A stored file in a plain `def` action."""

    __slots__ = ()

    def read(self) -> bytes:
        """Return all bytes."""
        return self._path.read_bytes()

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


class StoredFile(_File):
    """A stored file in an `async def` action or an HTTP action."""

    __slots__ = ()

    async def read(self) -> bytes:
        """Return all bytes."""
        import asyncio  # here, since apps without actions need not load it

        return await asyncio.to_thread(self._path.read_bytes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import asyncio

        file = await asyncio.to_thread(self._path.open, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield chunk
        finally:
            file.close()


class StorageReader:
    """`ctx.storage` in queries."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    def get_url(self, id: StorageId, /) -> str | None:
        """Return where the file can be downloaded, or None if there is none."""
        return cast("str | None", self._host.request_blocking("storage_url", {"id": id}))

    def get_metadata(self, id: StorageId, /) -> StorageMetadata | None:
        """Return what is known about the file, or None if there is none."""
        found: StorageMetadata | None = self._host.request_blocking("storage_metadata", {"id": id})
        return found


class StorageWriter(StorageReader):
    """`ctx.storage` in mutations."""

    __slots__ = ()

    def generate_upload_url(self) -> str:
        """Return where a client can upload one file."""
        return str(self._host.request_blocking("storage_upload_url", {}))

    def delete(self, id: StorageId, /) -> None:
        """Delete the file."""
        self._host.request_blocking("storage_delete", {"id": id})


class SyncActionStorage(StorageWriter):
    """`ctx.storage` in plain `def` actions."""

    __slots__ = ("_spool",)

    def __init__(self, host: ActionHost) -> None:
        super().__init__(host)
        self._spool = host.spool

    def store(
        self, data: _Content, /, *, content_type: str | None = None, sha256: str | None = None
    ) -> StorageId:
        """Store bytes, a binary file, a `Path` or an iterable of bytes; return the file's id.

        With `sha256`, the content must have it.
        """
        with _spool_file(self._spool) as path:
            _spool(data, path)
            payload = {"spooled": path.name, "contentType": content_type, "sha256": sha256}
            return StorageId(str(self._host.request_blocking("storage_store", payload)))

    def get(self, id: StorageId, /) -> SyncStoredFile | None:
        """Return the file, or None if there is none."""
        found = self._host.request_blocking("storage_get", {"id": id})
        return None if found is None else SyncStoredFile(found)


class ActionStorage:
    """`ctx.storage` in `async def` actions and HTTP actions."""

    __slots__ = ("_requests",)

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def get_url(self, id: StorageId, /) -> Coroutine[Any, Any, str | None]:
        """Return where the file can be downloaded, or None if there is none."""
        return self._requests.ask("storage_url", {"id": id}, label="storage.get_url")

    def get_metadata(self, id: StorageId, /) -> Coroutine[Any, Any, StorageMetadata | None]:
        """Return what is known about the file, or None if there is none."""
        return self._requests.ask("storage_metadata", {"id": id}, label="storage.get_metadata")

    def generate_upload_url(self) -> Coroutine[Any, Any, str]:
        """Return where a client can upload one file."""
        return self._requests.ask("storage_upload_url", {}, label="storage.generate_upload_url")

    def delete(self, id: StorageId, /) -> Coroutine[Any, Any, None]:
        """Delete the file."""
        return self._requests.ask("storage_delete", {"id": id}, label="storage.delete")

    def store(
        self,
        data: _Content | AsyncIterator[bytes],
        /,
        *,
        content_type: str | None = None,
        sha256: str | None = None,
    ) -> Coroutine[Any, Any, StorageId]:
        """Store bytes, a binary file, a `Path` or an (async) iterable of bytes; return the file's id.

        With `sha256`, the content must have it.
        """

        async def store() -> StorageId:
            with _spool_file(self._requests.host.spool) as path:
                await _spool_async(data, path)
                payload = {"spooled": path.name, "contentType": content_type, "sha256": sha256}
                return StorageId(str(await self._requests.host.request("storage_store", payload)))

        return self._requests.track(store, "storage.store")

    def get(self, id: StorageId, /) -> Coroutine[Any, Any, StoredFile | None]:
        """Return the file, or None if there is none."""

        def convert(found: dict[str, Any] | None) -> StoredFile | None:
            return None if found is None else StoredFile(found)

        return self._requests.ask("storage_get", {"id": id}, convert, label="storage.get")


@contextlib.contextmanager
def _spool_file(folder: Path) -> Generator[Path, None, None]:
    """Give a path for the content; afterwards nothing is there: the engine has taken it, or something failed."""
    path = folder / f"store-{uuid.uuid4()}"
    try:
        yield path
    finally:
        _remove(path)


def _spool(data: Any, path: Path) -> None:
    """Write content to a file, in pieces if it comes in pieces."""
    if isinstance(data, Path):
        shutil.copyfile(data, path)
        return
    chunks = _chunks(data)
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(_checked(chunk))


async def _spool_async(data: Any, path: Path) -> None:
    import asyncio

    if not hasattr(data, "__aiter__"):
        # A file or a generator may block: it is read where that does no harm.
        await asyncio.to_thread(_spool, data, path)
        return
    file = await asyncio.to_thread(path.open, "xb", buffering=_BUFFER_BYTES)
    try:
        async for chunk in cast(AsyncIterator[bytes], data):
            await asyncio.to_thread(file.write, _checked(chunk))
    finally:
        await asyncio.to_thread(file.close)


def _chunks(data: Any) -> Iterator[bytes]:
    if isinstance(data, bytes | bytearray | memoryview):
        return iter((cast(bytes, data),))
    if isinstance(data, str):
        raise ArgumentError("storage.store takes bytes, not a str: encode it, e.g. text.encode()")
    if hasattr(data, "read"):
        return iter(lambda: data.read(_CHUNK_BYTES), b"")
    if isinstance(data, Iterable):
        return iter(cast(Iterable[bytes], data))
    raise ArgumentError(
        f"storage.store takes bytes, a binary file, a Path or chunks, not {type(data).__name__}"
    )


def _checked(chunk: Any) -> bytes | bytearray | memoryview:
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise ArgumentError(f"storage.store takes chunks of bytes, not {type(chunk).__name__}")
    return chunk


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
