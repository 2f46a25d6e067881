"""Imports: a file arrives in parts, is checked as a whole, is confirmed, and becomes visible in one transaction.

1. Parts are spooled to disk; `finish` joins them and makes the document of the import (`uploaded`).
2. A process reads the file and checks every row; tables that will be replaced get hidden tablets first, because ids need
   the tables' numbers. The state becomes `waiting_for_confirmation`, with what will change.
3. Confirmed: `in_progress` before anybody is answered. Batches go into the hidden tablets, bytes of files into the store.
4. One transaction swaps the tablets, makes the documents of files and says `completed`. Readers of the old tablets run again.
Anything that goes wrong before 4 removes the hidden tablets: the old data was never touched. Only appending is not atomic.
A crash is found at the next start, and ends in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.errors import Error, RequestError
from convexpy.executors.transfer_process import TransferWorker
from convexpy.persistence import CheckpointReader
from convexpy.protocol.app_description import SchemaDescription
from convexpy.protocol.system import imports as calls
from convexpy.runtime import Clock, pauses
from convexpy.services.files.service import FileService
from convexpy.services.transfers.import_batches import BatchFill
from convexpy.services.transfers.import_files import FileImport
from convexpy.services.transfers.import_plan import ImportPlan, ImportRequest, PlannedTable, check_request
from convexpy.services.transfers.import_uploads import ImportUploads
from convexpy.values import Document, Int64

logger: logging.Logger = logging.getLogger("convexpy.imports")
STORAGE_NUMBER = 519
CANCELED = "the import was canceled; nothing was imported"


@dataclass(kw_only=True, eq=False)
class Imports:
    """Runs imports: several may be checked one after another, one is written at a time.

    `schema` is that of the live version, `sweep` removes what hidden tables have left. Batches wait while commits that the
    checkpoint does not cover have more than `tail_bytes_max`.
    """

    data_folder: Path
    in_memory: bool
    system: SystemFunctions
    files: FileService
    checkpoints: CheckpointService
    reading: Callable[[], AbstractContextManager[CheckpointReader]]
    schema: Callable[[], SchemaDescription | None]
    version_lock: asyncio.Lock
    sweep: Callable[[], Awaitable[None]]
    background: BackgroundTasks
    clock: Clock
    tail_bytes_max: int

    def __post_init__(self) -> None:
        self.folder: Path = self.data_folder / "transfers" / "imports"
        self._fill = BatchFill(
            folder=self.folder,
            system=self.system,
            checkpoints=self.checkpoints,
            tail_bytes_max=self.tail_bytes_max,
        )
        self.uploads: ImportUploads = ImportUploads(self.data_folder / "transfers" / "uploads")
        self._plans: dict[str, ImportPlan] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._checking = asyncio.Semaphore(1)
        self._writing: str | None = None

    async def start(self) -> None:
        """End what a crash has interrupted, and remove what it left behind."""
        leftovers = await self.system.run(calls.FailInterruptedImports())
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        await asyncio.to_thread(self.uploads.sweep)
        if leftovers:
            self.background.start(self.sweep())

    async def close(self) -> None:
        """Stop; the next start ends the imports under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _set(self, id: str, of: list[str], **fields: Any) -> bool:
        return await self.system.run(calls.UpdateImport(id, of, fields))

    def _begin(self, id: str, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[id] = task
        task.add_done_callback(
            lambda done: self._tasks.pop(id, None) if self._tasks.get(id) is done else None
        )
        return task

    # Requests

    async def finish(self, request: ImportRequest, token: str, parts: list[str]) -> str:
        """Join the parts of an upload and begin to check it; return the id of the import.

        Raises:
            RequestError: parts are missing, or the request makes no sense.
        """
        check_request(request)
        self.uploads.check(token, parts)
        if self.in_memory:
            raise RequestError("a deployment in memory cannot import", code="NotAvailable")
        described = {
            "mode": request.mode,
            "format": {"format": request.format, "table": request.table_name},
            "dryRun": request.dry_run,
            "fileName": request.file_name,
        }
        id = await self.system.run(calls.CreateImport(described))
        folder = self.folder / id
        await asyncio.to_thread(folder.mkdir, parents=True)
        pauses.reach("imports.created")
        self._begin(id, self._check(id, request, lambda: self.uploads.join(token, parts, folder / "upload")))
        return id

    async def find(self, id: str) -> Document:
        """Return the document of an import.

        Raises:
            RequestError: there is none (404).
        """
        call = calls.GetImport(id)
        outcome = await self.system.attempt(call)
        found = None if outcome.failure else call.decode_result(outcome.value)
        if found is None:
            raise RequestError(f"there is no import {id}", status=404, code="ImportNotFound")
        return found

    async def perform(self, id: str) -> None:
        """Confirm an import. Its state is `in_progress`, durably, on return.

        Raises:
            RequestError: it does not wait for confirmation, or another one is being written (`JobAlreadyRunning`).
        """
        if self._writing not in (None, id):
            raise RequestError(
                f"another import is being written: {self._writing}",
                status=409,
                code="JobAlreadyRunning",
                hint=f"wait for it, or: convexpy import --cancel {self._writing}",
            )
        plan = self._plans.get(id)
        state = {"state": "in_progress", "progress_message": "writing", "checkpoint_messages": []}
        first = self._writing is None
        self._writing = id
        if plan is None or not await self._set(id, ["waiting_for_confirmation"], state=state):
            if first:
                self._writing = None
            found = await self.find(id)
            raise RequestError(
                f"the import {id} does not wait for confirmation: its state is {found['state']['state']}",
                code="ImportNotWaiting",
            )
        pauses.reach("imports.confirmed")
        self._begin(id, self._perform(id, plan))

    async def cancel(self, id: str) -> None:
        """Cancel an import; one that has ended is left alone."""
        await self.find(id)
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._abort(id, CANCELED)

    async def run_at_once(self, request: ImportRequest, chunks: AsyncGenerator[bytes, None]) -> int:
        """Import what comes in one request, without asking; return the number of documents."""
        check_request(request)
        token = self.uploads.start()
        try:
            await self.uploads.add_stream(token, chunks)
        except BaseException:
            self.uploads.remove(token)
            raise
        id = await self.finish(request, token, self.uploads.tokens(token))
        await self._wait(id)
        if id in self._plans:
            await self.perform(id)
            await self._wait(id)
        state = (await self.find(id))["state"]
        if state["state"] != "completed":
            raise RequestError(state.get("error_message", state["state"]), code="ImportFailed")
        return int(state["num_rows_written"])

    async def _wait(self, id: str) -> None:
        task = self._tasks.get(id)
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    # Checking

    async def _check(self, id: str, request: ImportRequest, receive: Any) -> None:
        try:
            await asyncio.to_thread(receive)
            pauses.reach("imports.joined")
            async with self._checking:
                plan = await self._prepare(id, request)
            if plan is None:
                return
            if request.dry_run:
                await self._abort(id, None, state={"state": "validated"}, **plan.described())
                return
            self._plans[id] = plan
            state = {
                "state": "waiting_for_confirmation",
                "message_to_confirm": plan.message(),
                "require_manual_confirmation": plan.deletes,
            }
            if not await self._set(id, ["uploaded"], state=state, **plan.described()):
                self._plans.pop(id, None)
        except (Error, OSError) as error:
            await self._abort(id, _text(error), code=getattr(error, "code", "StorageFull"))

    async def _prepare(self, id: str, request: ImportRequest) -> ImportPlan | None:
        """Have the file read; None if rows are wrong, which the state says then."""
        schema = self.schema()
        folder = self.folder / id
        job = {
            "path": str(folder / "upload"),
            "name": request.file_name or "upload",
            "out": str(folder),
            "format": request.format,
            "mode": request.mode,
            "table": request.table_name,
            "types": request.types,
            "delimiter": request.delimiter,
            "schema": msgspec.to_builtins(schema),
            "nowMs": self.clock.now_ns() / 1e6,
            "storageNumber": STORAGE_NUMBER,
        }
        worker = await TransferWorker.start("convexpy.sandbox.transfers.import_worker", job)
        done: dict[str, Any] = {}
        room = calls.ImportRoom({}, [], {}, [])
        try:
            async for message in worker.messages():
                if "tables" in message:
                    tables = msgspec.convert(message["tables"], list[calls.ImportedTable])
                    room = await self.system.run(calls.BeginImport(id, request.mode, tables))
                    pauses.reach("imports.begun")
                    await worker.send({"tables": msgspec.to_builtins(room.tables), "numbers": room.numbers})
                elif "progress" in message:
                    await self._set(id, ["uploaded"], progress={"phase": "check", **message["progress"]})
                elif "faults" in message:
                    await self._refuse(id, message["faults"], message["count"])
                    return None
                else:
                    done = message["done"]
        finally:
            await worker.end()
        await self.checkpoints.catch_up()
        counts = await asyncio.to_thread(self._counts)
        places = room.tables
        archive = request.format == "zip" and (folder / "files.jsonl").exists()
        return ImportPlan(
            request=request,
            schema="" if schema is None else msgspec.json.encode(schema).decode(),
            tables=[
                PlannedTable(
                    name=name,
                    tablet=places[name].tablet,
                    insert=places[name].insert,
                    file=f"{id}/{prepared['file']}",
                    documents=prepared["documents"],
                    before=counts.get(name, 0),
                )
                for name, prepared in done["tables"].items()
            ],
            cleared={name: counts.get(name, 0) for name in room.cleared},
            hidden=room.hidden,
            files=done["files"]["count"] if archive else None,
            files_before=counts.get("_storage", 0),
            bytes=(folder / "upload").stat().st_size,
        )

    async def _refuse(self, id: str, faults: list[dict[str, Any]], count: int) -> None:
        first = faults[0]
        place = ":".join(str(first[name]) for name in ("file", "line", "column") if first[name])
        more = f" (and {count - 1} more)" if count > 1 else ""
        text = f"{place}: {first['message']}{more}; nothing was imported"
        await self._abort(id, text, code="ImportRowsInvalid", faults=faults, faultCount=count)

    def _counts(self) -> dict[str, int]:
        """Return the number of documents by table, from the checkpoint."""
        tables = self.checkpoints.catalog.by_name.values()
        with self.reading() as reader:
            return {table.name: reader.count(table.tablet) for table in tables}

    # Writing

    async def _perform(self, id: str, plan: ImportPlan) -> None:
        files = FileImport(files=self.files, system=self.system, folder=self.folder / id)
        try:
            await self._fill.run(
                plan, lambda text, finished, written: self._progress(id, text, finished, documents=written)
            )
            pauses.reach("imports.filled")
            if plan.files is not None:
                await files.store(lambda done: self._progress(id, f"{done} of {plan.files} files"))
            pauses.reach("imports.before_swap")
            # No push may be between its first and its last step: both change the same indexes.
            async with self.version_lock:
                await _not_halfway(self.system.run(self._swap(id, plan)))
            pauses.reach("imports.swapped")
        except (Error, OSError) as error:
            await files.take_back()
            await self._abort(id, _text(error), code=getattr(error, "code", "StorageFull"))
        except asyncio.CancelledError:
            await files.take_back()
            raise
        else:
            self._forget(id)
            self.background.start(self.sweep())
        finally:
            self._writing = None

    async def _progress(
        self, id: str, text: str, finished: list[str] | None = None, *, documents: int | None = None
    ) -> None:
        state = {"state": "in_progress", "progress_message": text, "checkpoint_messages": finished or []}
        shown = {"phase": "write", "text": text, "documents": documents}
        await self._set(id, ["in_progress"], state=state, progress=shown)

    def _swap(self, id: str, plan: ImportPlan) -> calls.SwapTables:
        written = {"timestamp": Int64(self.clock.now_ns()), "num_rows_written": Int64(plan.documents)}
        return calls.SwapTables(
            id=id,
            mode=plan.request.mode,
            tables=plan.hidden,
            files=None if plan.files is None else f"{id}/stored.jsonl",
            schema=plan.schema,
            done={"state": "completed", **written},
        )

    async def _abort(self, id: str, message: str | None, *, code: str | None = None, **fields: Any) -> None:
        """End an import without effect: what is hidden is given up."""
        if message is not None:
            logger.warning("the import %s ended: %s", id, message)
            fields["state"] = {"state": "failed", "error_message": message}
        if code is not None:
            fields["code"] = code
        hidden = await self.system.run(calls.AbortImport(id, fields))
        if hidden:
            self.background.start(self.sweep())
        self._forget(id)

    def _forget(self, id: str) -> None:
        self._plans.pop(id, None)
        shutil.rmtree(self.folder / id, ignore_errors=True)


async def _not_halfway(work: Coroutine[Any, Any, None]) -> None:
    """Await a transaction whose outcome must be known: being cancelled comes too late for it."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()


def _text(error: BaseException) -> str:
    text = str(error).split("\n")[0]
    head, separator, rest = text.partition(": ")
    return rest if separator and head in ("Error", "ArgumentError", "SchemaViolation") else text
