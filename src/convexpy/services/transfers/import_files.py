"""Stored files of an import: their bytes go into the store before the transaction that makes their documents."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convexpy.engine.system_functions import SystemFunctions
from convexpy.errors import Error
from convexpy.protocol.system.files import FindFile, ListUnknownBlobs
from convexpy.services.files.blobs import NAME, Content, batched, read_sha256, sha256_base64
from convexpy.services.files.service import FileService, check_content_type
from convexpy.snapshots import Archive, SnapshotError

PIECE_BYTES = 256 * 1024
REPORT_EVERY = 20


@dataclass(kw_only=True, eq=False)
class FileImport:
    """The files of one import. A file that the deployment has already, id and digest alike, stays as it is."""

    files: FileService
    system: SystemFunctions
    folder: Path

    def __post_init__(self) -> None:
        self._put: list[str] = []

    async def store(self, progress: Callable[[int], Awaitable[None]]) -> None:
        """Put the bytes of all files into the store, and write the list that the last transaction reads.

        Raises:
            Error: one of them is not what `_storage/documents.jsonl` says, or of an id that another file has.
        """
        archive = await asyncio.to_thread(Archive, self.folder / "upload")
        try:
            with (
                (self.folder / "files.jsonl").open("rb") as wanted,
                (self.folder / "stored.jsonl").open("wb") as stored,
            ):
                for count, line in enumerate(wanted):
                    file: dict[str, Any] = msgspec.json.decode(line)
                    stored.write(msgspec.json.encode(await self._store(archive, file)) + b"\n")
                    if not count % REPORT_EVERY:
                        await progress(count)
        finally:
            archive.close()

    async def _store(self, archive: Archive, file: dict[str, Any]) -> dict[str, Any]:
        have = await self.system.run(FindFile(file["id"]))
        if have is not None:
            if file["sha256"] not in (None, have.sha256):
                raise SnapshotError(f"{file['path']}: there is another file of this id here")
            return {**file, "uuid": None, "sha256": have.sha256}
        name = str(file["internalId"])
        if not NAME.fullmatch(name) or not await self.system.run(ListUnknownBlobs([name])):
            name = str(uuid.uuid4())
        check_content_type(file["contentType"])
        pieces = batched(_pieces(archive, file["path"]))
        content = Content(pieces, expected=_digest(file), size_max=self.files.size_max)
        self._put.append(name)
        async with contextlib.aclosing(content.stream()) as stream:
            await self.files.blobs.put(name, stream)
        return {**file, "uuid": name, "sha256": sha256_base64(content.sha256), "size": content.size}

    async def take_back(self) -> None:
        """Remove what was put: no document names it."""
        for name in self._put:
            with contextlib.suppress(Error):
                await self.files.blobs.delete(name)
        self._put.clear()


async def _pieces(archive: Archive, path: str) -> AsyncGenerator[bytes, None]:
    with archive.open(path) as stream:
        while piece := await asyncio.to_thread(stream.read, PIECE_BYTES):
            yield piece


def _digest(file: dict[str, Any]) -> bytes | None:
    """Return the digest that a file must have; cloud exports write it in base64."""
    text = file["sha256"]
    if not isinstance(text, str):
        return None
    digest = read_sha256(text)
    if digest is None:
        raise SnapshotError(f"{file['path']}: `sha256` is not a SHA-256 digest")
    return digest
