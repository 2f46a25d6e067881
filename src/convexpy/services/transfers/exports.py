"""Exports: all tables at one moment as a zip, while writes go on.

Steps:
1. The state document says `requested`, durably, before anybody is answered.
2. A full checkpoint; then a process opens one read transaction on it and writes the zip. Commits do not notice.
3. Bytes of stored files are appended by the server, which has the store. Nothing is unlinked meanwhile.
4. The zip gets its name, then the state says `completed`. It is kept until it expires.
A crash leaves a state that the next start turns into `failed`, and files that it removes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.errors import Error, RequestError
from convexpy.executors.transfer_process import TransferWorker
from convexpy.limits import EXPORT_KEPT_S
from convexpy.protocol.system.exports import (
    CreateExport,
    FailInterruptedExports,
    FindExport,
    ListExports,
    RemoveExports,
    UpdateExport,
)
from convexpy.runtime import Clock, pauses
from convexpy.services.files.service import FileService
from convexpy.snapshots import SnapshotWriter
from convexpy.values import Document, Int64

logger: logging.Logger = logging.getLogger("convexpy.exports")
SWEEP_EVERY_S = 600.0
PIECE_BYTES = 256 * 1024


@dataclass(kw_only=True, eq=False)
class Exports:
    """Makes exports, one at a time, and keeps them for a while.

    `manifest` returns what a backup holds beside the data. `data_address` is where the database is, empty in memory.
    """

    data_folder: Path
    data_address: str
    system: SystemFunctions
    files: FileService
    checkpoints: CheckpointService
    background: BackgroundTasks
    clock: Clock
    manifest: Callable[[], dict[str, Any]]

    def __post_init__(self) -> None:
        self.folder: Path = self.data_folder / "transfers" / "exports"
        self._running: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Fail what a crash has interrupted, remove what it left behind, and look for expired exports from now on."""
        await self.system.run(FailInterruptedExports())
        await self.sweep()
        known = await self.system.run(ListExports())
        await asyncio.to_thread(self._tidy, {_file_name(found) for found in known})
        self.background.start(self._sweep_regularly())

    def _tidy(self, known: set[str]) -> None:
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in known:
                    path.unlink()

    async def close(self) -> None:
        """End the exports under way; the next start finds their states."""
        await _cancelled(list(self._running.values()))

    async def _update(self, id: str, of: list[str], **fields: Any) -> bool:
        return await self.system.run(UpdateExport(id, of, fields))

    # Requests

    async def request(
        self, *, include_storage: bool, tables: list[str] | None = None, backup: bool = False
    ) -> str:
        """Ask for an export; return its id. Its state is durable by then.

        Raises:
            RequestError: one is under way (`ExportInProgress`), or a table does not exist.
        """
        if not self.data_address:
            raise RequestError("a deployment in memory cannot be exported", code="NotAvailable")
        requestor = "backup" if backup else "snapshotExport"
        try:
            id = await self.system.run(CreateExport(include_storage, requestor))
        except Error as error:
            text = error.message.removeprefix("Error: ").split("\n")[0]
            raise RequestError(text, code=error.code) from error
        pauses.reach("exports.requested")
        task = asyncio.get_running_loop().create_task(self._run(id, include_storage, tables, backup))
        self._running[id] = task
        task.add_done_callback(lambda _: self._running.pop(id, None))
        return id

    async def find(self, which: str) -> tuple[Document, Path]:
        """Return a completed export, by id or `start_ts`, and its file.

        Raises:
            RequestError: there is none (404).
        """
        found = await self.system.run(FindExport(which))
        if found is not None and found["state"] == "completed":
            path = self.folder / _file_name(found)
            if path.exists():
                return found, path
        raise RequestError("there is no such export, or it has expired", status=404, code="ExportNotFound")

    async def cancel(self, id: str) -> None:
        """Cancel an export; one that has ended is left alone."""
        if await self._update(id, ["requested", "in_progress"], state="canceled"):
            await _cancelled([task for key, task in self._running.items() if key == id])

    async def set_expiration(self, id: str, expiration_ns: int) -> None:
        """Keep a completed export until then."""
        if not await self._update(id, ["completed"], expiration_ts=Int64(expiration_ns)):
            raise RequestError("there is no such export", status=404, code="ExportNotFound")

    async def delete(self, which: str) -> None:
        """Remove a completed export."""
        found, path = await self.find(which)
        await asyncio.to_thread(path.unlink, missing_ok=True)
        await self.system.run(RemoveExports([found["_id"]]))

    # The work

    async def _run(self, id: str, include_storage: bool, tables: list[str] | None, backup: bool) -> None:
        started = self.clock.now_ns()
        part = self.folder / f"{started}.part"
        try:
            await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
            if not await self._update(id, ["requested"], start_ts=Int64(started), state="in_progress"):
                return
            counts = await self._produce(id, part, include_storage, tables, backup)
            size = part.stat().st_size
            pauses.reach("exports.before_rename")
            part.rename(self.folder / f"{started}.zip")
            now = self.clock.now_ns()
            key = f"{started}.zip"
            fields = {
                "state": "completed",
                "complete_ts": Int64(now),
                "expiration_ts": Int64(now + int(EXPORT_KEPT_S * 1e9)),
                "zip_object_key": key,
                "size": size,
                **counts,
            }
            if not await self._update(id, ["in_progress"], **fields):
                (self.folder / key).unlink(missing_ok=True)
        except (Error, OSError) as error:
            logger.error("the export %s failed: %s", id, error)
            await self._update(id, ["requested", "in_progress"], state="failed", error=str(error))
        finally:
            for path in (part, part.with_name(part.name + ".files")):
                path.unlink(missing_ok=True)

    async def _produce(
        self, id: str, part: Path, include_storage: bool, tables: list[str] | None, backup: bool
    ) -> dict[str, Any]:
        """Write the zip; return the counts of documents and files."""
        job = {
            "address": self.data_address,
            "target": str(part),
            "tables": tables,
            "files": include_storage,
            "manifest": self.manifest() if backup else None,
        }
        async with contextlib.AsyncExitStack() as stack:
            if include_storage:
                await stack.enter_async_context(self.files.keeping())
            await self.checkpoints.catch_up()
            worker = await TransferWorker.start("convexpy.sandbox.transfers.export_worker", job)
            stack.push_async_callback(worker.end)
            counts: dict[str, Any] = {}
            async for message in worker.messages():
                if "progress" in message:
                    await self._update(id, ["in_progress"], progress=message["progress"])
                elif "begun" in message:
                    pauses.reach("exports.begun")
                elif "done" in message:
                    counts = message["done"]
            if include_storage:
                await self._append_files(part)
            return counts

    async def _append_files(self, part: Path) -> None:
        """Append the bytes of stored files, each read from the store in pieces."""
        loop = asyncio.get_running_loop()
        blobs = self.files.blobs

        def pieces(uuid: str, size: int) -> Iterator[bytes]:
            stream = asyncio.run_coroutine_threadsafe(blobs.read(uuid, 0, size), loop).result()
            try:
                while piece := asyncio.run_coroutine_threadsafe(_next(stream), loop).result():
                    yield piece
            finally:
                asyncio.run_coroutine_threadsafe(stream.aclose(), loop).result()

        def append() -> None:
            writer = SnapshotWriter.reopen(part)
            try:
                with part.with_name(part.name + ".files").open("rb") as wanted:
                    for line in wanted:
                        file = msgspec.json.decode(line)
                        size = int(file["size"])
                        writer.blob(file["path"], pieces(file["uuid"], size) if size else ())
            finally:
                writer.close()

        await asyncio.to_thread(append)

    # Expiry

    async def _sweep_regularly(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except Error as error:
                logger.warning("exports could not be swept: %s", error)

    async def sweep(self) -> None:
        """Remove exports that have expired."""
        now = self.clock.now_ns()
        known = await self.system.run(ListExports())
        expired = [each for each in known if each["state"] == "completed" and each["expiration_ts"] <= now]
        for found in expired:
            await asyncio.to_thread((self.folder / _file_name(found)).unlink, missing_ok=True)
        if expired:
            await self.system.run(RemoveExports([found["_id"] for found in expired]))


def _file_name(found: Document) -> str:
    return str(found.get("zip_object_key", "")) if found["state"] == "completed" else ""


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(stream, b"")


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
