"""Blobs as files of a folder: `FOLDER/<name>`, and `FOLDER/tmp/` for what is not complete.

Order of a write: temporary name, sync, rename, sync of the folder. So a name stands for a whole file, also after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from convexpy.runtime import pauses, sync_folder
from convexpy.services.files.blobs._interface import BlobInfo, BlobMissing, LocalFile, StorageFailed

R = TypeVar("R")
READ_BYTES = 256 * 1024
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
THREADS = 4
LISTED_AT_ONCE = 1000


class FolderBlobStore:
    """Blobs in a folder that only this process writes to.

    Names are uuids, made by the caller, each used once. Methods run on one event loop.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.spool: Path = folder / "tmp"
        """Where incomplete files are, and those to adopt; on the same file system as complete ones."""
        self._threads = ThreadPoolExecutor(THREADS, "convexpy-files")

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise BlobMissing(f"{name!r} is not a valid blob name")
        return self._folder / name

    async def _run(self, function: Callable[..., R], *args: object) -> R:
        """Call a function in a thread; being cancelled waits for its end, for it uses files that are then closed."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    async def start(self) -> None:
        """Make the folder; remove temporary files."""
        await self._run(self._prepare)

    def _prepare(self) -> None:
        self.spool.mkdir(parents=True, exist_ok=True)
        for path in self.spool.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a blob. If `chunks` raises, or this is cancelled, there is none; on return it is durable.

        The next chunk is awaited while the last one is written.

        Raises:
            StorageFailed: it could not be written; there is none.
        """
        target, temporary = self._path(name), self.spool / f"put-{uuid.uuid4()}"
        with _refusals():
            file = await self._run(lambda: temporary.open("xb", buffering=0))
        try:
            with _refusals():
                await self._write(file, chunks)
                await self._run(_finish, file, temporary, target)
        finally:
            await asyncio.shield(self._run(_discard, file, temporary))

    async def _write(self, file: BinaryIO, chunks: AsyncIterator[bytes]) -> None:
        writing: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        try:
            async for chunk in chunks:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = loop.run_in_executor(self._threads, _write_all, file, chunk)
            if writing is not None:
                await asyncio.shield(writing)
        finally:
            if writing is not None:
                await asyncio.wait([writing])
                writing.exception()  # seen: whatever ends this now came first

    async def adopt(self, name: str, path: Path) -> None:
        """Make a complete file in `spool` a blob; the file is gone afterwards.

        Raises:
            StorageFailed: it could not be written; there is no blob.
        """
        with _refusals():
            await self._run(_adopt, path, self._path(name))

    async def read(self, name: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return bytes `start` to `end` (not included) in chunks, read ahead by one; to be closed.

        Raises:
            BlobMissing: there is none. Once chunks come, a short blob raises StorageFailed.
        """
        file = await self._run(_open, self._path(name))
        return self._chunks(file, start, end)

    async def _chunks(self, file: BinaryIO, start: int, end: int) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        position = start

        def read(position: int, size: int) -> bytes:
            file.seek(position)
            return file.read(size)

        def ahead() -> asyncio.Future[bytes]:
            return loop.run_in_executor(self._threads, read, position, min(READ_BYTES, end - position))

        reading: asyncio.Future[bytes] | None = None
        try:
            reading = ahead() if position < end else None
            while reading is not None:
                chunk = await reading
                if not chunk:
                    raise StorageFailed(f"the blob ends at {position}, before {end}")
                position += len(chunk)
                reading = ahead() if position < end else None
                yield chunk
        finally:
            if reading is None or reading.done():
                file.close()
            else:
                reading.add_done_callback(lambda _: file.close())

    async def local(self, name: str) -> LocalFile:
        """Return the blob as a file.

        Raises:
            BlobMissing: there is none.
        """
        path = self._path(name)
        if not await self._run(path.is_file):
            raise BlobMissing(f"there is no blob {name}")
        return LocalFile(path, temporary=False)

    async def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with _refusals():
            await self._run(_unlink, self._path(name))

    async def list(self) -> AsyncIterator[BlobInfo]:
        """Return every complete file."""
        entries = await self._run(os.scandir, self._folder)
        try:
            while found := await self._run(_some, entries):
                for info in found:
                    if info is not None:
                        yield info
        finally:
            entries.close()

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)


@contextlib.contextmanager
def _refusals() -> Generator[None, None, None]:
    """Turn what the operating system says into StorageFailed."""
    try:
        yield
    except ConnectionError:
        raise  # of the sender, not of the disk
    except OSError as error:
        raise StorageFailed(f"the file could not be stored: {error.strerror or error}") from error


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    """Write everything: a disk that fills up takes a part."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise BlobMissing(f"there is no blob {path.name}") from None


def _finish(file: BinaryIO, temporary: Path, target: Path) -> None:
    pauses.reach("files.before_sync")
    os.fsync(file.fileno())
    file.close()
    _rename(temporary, target)


def _rename(temporary: Path, target: Path) -> None:
    pauses.reach("files.before_rename")
    temporary.rename(target)
    pauses.reach("files.after_rename")
    sync_folder(target.parent)


def _adopt(path: Path, target: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        pauses.reach("files.before_sync")
        os.fsync(file.fileno())
    _rename(path, target)


def _discard(file: BinaryIO, temporary: Path) -> None:
    file.close()
    temporary.unlink(missing_ok=True)


def _unlink(path: Path) -> None:
    pauses.reach("files.before_unlink")
    path.unlink(missing_ok=True)
    pauses.reach("files.after_unlink")


def _some(entries: Iterator[os.DirEntry[str]]) -> list[BlobInfo | None]:
    """Return the next entries: None for what is not a blob, nothing at the end."""
    found: list[BlobInfo | None] = []
    for entry in entries:
        found.append(_info(entry))
        if len(found) == LISTED_AT_ONCE:
            break
    return found


def _info(entry: os.DirEntry[str]) -> BlobInfo | None:
    if not NAME.fullmatch(entry.name):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return BlobInfo(entry.name, status.st_size, status.st_mtime * 1000)
