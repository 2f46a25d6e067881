"""The deployment as the pages see it: everything that they read and change, without a word about HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from convexpy.client import (
    AdminClient,
    DataClient,
    DocumentQuery,
    FileClient,
    FileInfo,
    FunctionFailed,
    FunctionResult,
    KeyAccess,
    LogPage,
    watch_query_async,
)
from convexpy.protocol.admin_api import (
    DeploymentStatus,
    FunctionReport,
    HealthReport,
    KeyInfo,
    NewKey,
    PushInfo,
    PushResult,
    TableInfo,
    TableOutline,
    VariableInfo,
)
from convexpy.protocol.app_description import LiveApp
from convexpy.protocol.system import Operation, SystemQuery, encode_plain
from convexpy.protocol.system.data import ReadPage
from convexpy_cli.errors import Failure

R = TypeVar("R")
Documents = list[dict[str, Any]]
PIECE = 256 * 1024
THREADS = 24
"""Requests at a time; each reader of logs waits in one."""


@dataclass(frozen=True)
class Page:
    """Documents of a selection, and the cursor of what follows; None at the end."""

    documents: Documents
    next: str | None


@dataclass(frozen=True, kw_only=True)
class Identified:
    """Which deployment it is, and what the key allows. `guarded`: a person types its name before the first change."""

    name: str
    url: str
    kind: str
    access: KeyAccess
    guarded: bool
    actor: str = ""
    """Who is at the machine, for the history of pushes."""


class Deployment:
    """One deployment. Methods wait without blocking, and raise `DeploymentError` as those of `AdminClient` do."""

    def __init__(self, client: AdminClient, identified: Identified) -> None:
        self.identified = identified
        self.confirmed: bool = not identified.guarded
        """Whether a person has agreed that this deployment is changed."""
        self._client = client
        self._idle: list[AdminClient] = []
        self._busy: set[AdminClient] = set()
        self._threads = ThreadPoolExecutor(THREADS, "deployment")

    def close(self) -> None:
        """End the requests under way, and close all connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in list(self._busy):
            client.abort()
        for client in [*self._idle, self._client]:
            client.close()

    def allows(self, operation: Operation) -> bool:
        """Say whether the key is for this."""
        return operation in self.identified.access.operations

    async def _read(self, work: Callable[[AdminClient], R]) -> R:
        client = self._idle.pop() if self._idle else self._client.clone()
        self._busy.add(client)
        running = self._threads.submit(self._run, work, client)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if running.cancelled():
                self._rest(client)
            else:
                client.abort()
            raise

    async def _write(self, work: Callable[[AdminClient], R]) -> R:
        if not self.confirmed:
            raise Failure("DeploymentProtected", f"type {self.identified.name!r} to confirm changes first")
        return await self._read(work)

    def _run(self, work: Callable[[AdminClient], R], client: AdminClient) -> R:
        try:
            return work(client)
        finally:
            self._rest(client)

    def _rest(self, client: AdminClient) -> None:
        self._busy.discard(client)
        self._idle.append(client)

    async def watch(
        self, path: str, args: Mapping[str, Any], identity: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[FunctionResult | FunctionFailed, None]:
        """Yield the result of a query, or its failure, whenever it changes.

        Raises:
            Unreachable: the connection has ended.
        """
        client = self._client
        watching = watch_query_async(client.url, client.admin_key, path, args, identity=identity)
        async with aclosing(watching) as results:
            async for result in results:
                yield result

    async def _watch_own(self, path: str, args: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        async with aclosing(self.watch(path, args)) as results:
            async for result in results:
                if isinstance(result, FunctionFailed):
                    raise result
                yield result.value

    async def watch_system(self, call: SystemQuery[R]) -> AsyncGenerator[R, None]:
        """Yield the result of a system query whenever it changes."""
        async with aclosing(self._watch_own(call.path, json.loads(encode_plain(call)))) as values:
            async for value in values:
                yield call.convert_result(value, strict=False)

    # The deployment itself

    async def status(self) -> DeploymentStatus:
        """Return what is live, what is being built, and how it is doing."""
        return await self._read(lambda client: client.status())

    async def check(self) -> None:
        """Raise `DeploymentError` if the deployment does not answer, or has refused the key."""
        await self._read(lambda client: client.check_key())

    async def app(self) -> LiveApp:
        """Return the description of the live version."""
        return await self._read(lambda client: client.app())

    async def history(self) -> list[PushInfo]:
        """Return the pushes, the newest first."""
        return await self._read(lambda client: client.history())

    async def plan_rollback(self, version: int) -> PushResult:
        """Return what making a kept version live again would change, and what stands in its way."""
        return await self._read(
            lambda client: client.push({}, {}, dry_run=True, options=self._rollback(version))
        )

    async def roll_back(self, version: int, expected: int, allow: Sequence[str]) -> PushResult:
        """Make a kept version live again, if `expected` is still the live one; `allow` are consents to what is lost."""
        options = {**self._rollback(version), "expected": expected, "allow": list(allow)}
        return await self._write(lambda client: client.push({}, {}, options=options))

    def _rollback(self, version: int) -> dict[str, Any]:
        note = {"message": f"rollback to version {version}, in the dashboard", "actor": self.identified.actor}
        production = self.identified.kind == "production"
        return {"rollback": version, "note": note, "production": production, "allow": []}

    async def health(self) -> HealthReport:
        """Return calls by the minute, and how executors and checkpoint are doing."""
        return await self._read(lambda client: client.health())

    async def urls(self) -> tuple[str, str]:
        """Return the public URLs of the deployment: of the API, and of the HTTP actions."""
        return await self._read(lambda client: client.urls())

    async def statistics(self) -> list[FunctionReport]:
        """Return the counts of the functions called in 24 hours, by the hour too."""
        return await self._read(lambda client: client.function_statistics(hourly=True))

    # Documents

    async def tables(self) -> list[TableInfo]:
        """Return every table with its size and its indexes."""
        return await self._read(lambda client: client.tables())

    async def table_outlines(self) -> list[TableOutline]:
        """Return every table with its indexes, without counting."""
        return await self._read(lambda client: client.table_outlines())

    async def watch_page(
        self, query: DocumentQuery, count: int, cursor: str | None
    ) -> AsyncGenerator[Page, None]:
        """Yield a page of documents in Convex's JSON encoding, and again whenever it changes."""
        args = {**query.to_json(), "paginationOpts": {"numItems": count, "cursor": cursor}}
        async with aclosing(self._watch_own(ReadPage.path, args)) as values:
            async for found in values:
                yield Page(found["page"], None if found["isDone"] else found["continueCursor"])

    async def read_page(self, query: DocumentQuery, count: int, cursor: str | None) -> Page:
        """Return one page of documents; under a condition it may hold fewer before the end."""
        return Page(*await self._read(lambda client: DataClient(client).page(query, count, cursor)))

    async def document(self, id: str) -> tuple[str, dict[str, Any]] | None:
        """Return the table and the document of an id, or None."""
        found = await self._read(lambda client: DataClient(client).get(id))
        return None if found is None else (found["table"], found["document"])

    async def insert(self, table: str, documents: Documents) -> list[str]:
        """Insert documents, all of them or none; return their ids."""
        return await self._write(lambda client: DataClient(client).insert(table, documents))

    async def patch(self, id: str, changes: Mapping[str, Any], unset: Sequence[str]) -> None:
        """Set fields of a document, and remove those of `unset`."""
        await self._write(lambda client: DataClient(client).patch(id, changes, unset))

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete documents, all of them or none; return how many."""
        return await self._write(lambda client: DataClient(client).delete(ids))

    # Functions

    async def call(
        self, path: str, args: Mapping[str, Any], identity: Mapping[str, Any] | None = None
    ) -> FunctionResult:
        """Call a function that may write."""
        return await self._write(lambda client: client.call(path, args, identity=identity))

    # Logs

    async def logs(self, filters: Mapping[str, Any], after: LogPage | None) -> LogPage:
        """Return the newest entries that fit at once, or those after a page, waiting up to a minute for one."""
        return await self._read(lambda client: client.log_records(filters, after))

    # Files

    async def file(self, id: str) -> FileInfo | None:
        """Return what is known of a file, or None."""
        return await self._read(lambda client: FileClient(client).info(id))

    def content(self, id: str) -> Iterator[bytes]:
        """Yield the content of a file piece by piece, for a thread of the caller's."""
        with FileClient(self._client.clone()).download(id) as pieces:
            yield from pieces

    async def upload(self, content: BinaryIO, size: int, content_type: str | None) -> FileInfo:
        """Store a file that is read from where it is at."""

        def send(client: AdminClient) -> FileInfo:
            pieces = iter(lambda: content.read(PIECE), b"")
            return FileClient(client).upload(pieces, size=size, content_type=content_type)

        return await self._write(send)

    async def delete_files(self, ids: Sequence[str]) -> None:
        """Delete files, all of them or none."""
        await self._write(lambda client: FileClient(client).delete(ids))

    # Variables and keys

    async def variables(self) -> list[VariableInfo]:
        """Return every variable without its value."""
        return await self._read(lambda client: client.described_environment())

    async def variable(self, name: str) -> str:
        """Return the value of a variable."""
        return (await self._read(lambda client: client.environment()))[name]

    async def set_variables(self, changes: Mapping[str, str | None]) -> None:
        """Set variables, and remove those whose value is None."""
        await self._write(lambda client: client.update_environment(changes))

    async def keys(self) -> list[KeyInfo]:
        """Return what is known of the admin keys."""
        return await self._read(lambda client: client.admin_keys())

    async def create_key(
        self, name: str, kind: str, functions: Sequence[str], expires_at: float | None
    ) -> NewKey:
        """Make a key; it is in the answer, and nowhere else."""
        return await self._write(lambda client: client.create_key(name, kind, functions, expires_at))

    async def revoke_key(self, prefix: str) -> None:
        """Make a key worthless."""
        await self._write(lambda client: client.revoke_key(prefix))

    # Schedules

    async def cancel_job(self, id: str) -> None:
        """Cancel a scheduled job."""
        await self._write(lambda client: client.cancel_job(id))

    async def run_cron(self, name: str) -> str:
        """Run a cron job now; return the id of the job."""
        return await self._write(lambda client: client.run_cron(name))
