"""When the checkpoint moves, and how far it may.

Targets are durable rows, never beyond the row of the oldest query without an answer: that call would read two moments.
The work is done by one thread, which alone writes the checkpoint; walks for new indexes go in slices between targets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from convexpy.database import Catalog, Checkpointer, Growth, IndexWalk
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.errors import PushRejected
from convexpy.limits import Knobs
from convexpy.persistence import DataDamaged, OutcomeUnknown, StoreFull
from convexpy.protocol.app_description import SchemaDescription
from convexpy.protocol.system.pushes import BuildingIndex
from convexpy.runtime import Clock, give_back_memory, name_thread
from convexpy.schema import Schema, load_schema

logger: logging.Logger = logging.getLogger("convexpy.checkpoints")
R = TypeVar("R")
RETRY_S = 1.0
OLDER_QUERY_S = 0.02
FOLD_AFTER_S = 0.1
FOLD_TRIES = 20
VIOLATIONS_SHOWN = 5


class CheckpointerSource(Protocol):
    """Opens the checkpointer."""

    def checkpointer(self) -> Checkpointer:
        """Return the one writer of the checkpoint."""
        ...


class CheckpointService:
    """Moves the checkpoint at idle, at size, on request and at the end."""

    def __init__(
        self,
        storage: CheckpointerSource,
        timeline: LogTimeline,
        knobs: Knobs,
        clock: Clock,
        *,
        moved: Callable[[int], None],
    ) -> None:
        self._storage = storage
        self._timeline = timeline
        self._knobs = knobs
        self._clock = clock
        self._moved = moved
        self._thread = ThreadPoolExecutor(1, "convexpy-checkpoint", name_thread, ("checkpoint",))
        self._checkpointer: Checkpointer | None = None
        self._rows: list[TailRow] = []
        self._lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._folding: asyncio.Task[None] | None = None
        self._last_row_s = self._oldest_row_s = 0.0
        self._closed = False
        self._obstacle = ""
        self.walking: tuple[str, int] | None = None
        """The table that a walk goes through, and how many of its documents it has met."""

    async def start(self) -> None:
        """Open the checkpoint for writing."""
        self._checkpointer = await self._run(self._storage.checkpointer)
        if self._timeline.tail:
            self._arm()

    async def _run(self, work: Callable[..., R], *arguments: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    # Rows

    def row(self, row: TailRow) -> None:
        """Note a durable row; it is folded later."""
        self._rows.append(row)
        self._last_row_s = asyncio.get_running_loop().time()
        if self._timeline.tail_bytes >= self._knobs.tail_checkpoint_bytes:
            self._begin()
        elif self._timer is None:
            self._arm()

    def _arm(self) -> None:
        """Checkpoint after a pause in the writes, at the age limit, or at the size limit.

        Under load, few large checkpoints cost least: a document that is written often is folded once.
        """
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._last_row_s = self._oldest_row_s = loop.time()
            self._timer = loop.call_later(self._knobs.checkpoint_idle_s, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = min(
            self._last_row_s + self._knobs.checkpoint_idle_s,
            self._oldest_row_s + self._knobs.checkpoint_age_s,
        )
        if loop.time() >= due_s:
            self._begin()
        else:
            self._timer = loop.call_at(due_s, self._look)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (self._task is None or self._task.done()) and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._advance())

    async def _advance(self) -> None:
        # The tail grows to its bound meanwhile; mutations wait there.
        try:
            await self.reach(min(self._timeline.row, self._timeline.oldest_row))
            self._obstacle = ""
        except (StoreFull, OutcomeUnknown, DataDamaged) as error:
            if str(error) != self._obstacle:
                self._obstacle = str(error)
                logger.error("the checkpoint cannot be written (%s): trying again every %g s", error, RETRY_S)
            await asyncio.sleep(RETRY_S)
        except Exception:
            logger.exception("the checkpoint could not move, trying again")
            await asyncio.sleep(RETRY_S)
        if self._timeline.tail:
            self._arm()

    @property
    def tail_bytes(self) -> int:
        """The size of the commits that the checkpoint does not cover."""
        return self._timeline.tail_bytes

    async def catch_up(self) -> None:
        """Move the checkpoint to the newest durable commit."""
        await self.reach(self._timeline.row)

    def announce(self) -> None:
        """Have executors begin new read transactions: open ones do not see the keys that a walk has entered."""
        self._moved(self._timeline.checkpoint_seq)

    async def reach(self, target: int) -> None:
        """Move the checkpoint to `target` at least, as soon as no older query is under way."""
        while self._timeline.oldest_row < target:
            await asyncio.sleep(OLDER_QUERY_S)
        async with self._lock:
            if self._timeline.checkpoint_seq >= target:
                return
            await self._fold(target)
        self._moved(target)
        if self._folding is None or self._folding.done():
            self._folding = asyncio.get_running_loop().create_task(self._compact())

    async def _compact(self) -> None:
        """Reclaim the space that moving the checkpoint has left behind, so that it never grows.

        Readers hold on to what they began to read. So they are told twice: by the checkpoint, after which all can be
        reclaimed, and when that is done, after which they no longer read from what was. The space of a file that has grown
        large is given back when executors are idle, and so read nothing.
        """
        for attempt in range(FOLD_TRIES):
            await asyncio.sleep(FOLD_AFTER_S * min(attempt + 1, 10))
            if self._closed:
                return
            async with self._lock:
                seq = self._timeline.checkpoint_seq
                try:
                    found = await self._run(self._open_checkpointer().compact)
                except (StoreFull, OutcomeUnknown) as error:
                    logger.warning("the database could not be compacted: %s", error)
                    return
            if not found.waits_for_readers:
                self._moved(seq)
            if found.done:
                await self._run(give_back_memory)
                return

    async def _fold(self, target: int) -> None:
        rows, self._rows = self._rows, []
        checkpointer = self._open_checkpointer()

        def work() -> None:
            for row in rows:
                checkpointer.row(row.seq, row.ts, row.entry)
            now_ms = self._clock.now_ns() // 1_000_000
            checkpointer.run(target, now_ms=now_ms)
            checkpointer.age_replay(now_ms - int(self._knobs.replay_age_s * 1000))

        # Who waits may be cancelled, but not the work: its rows are nowhere else, and the next ones follow them.
        await asyncio.shield(self._run(work))

    def _open_checkpointer(self) -> Checkpointer:
        assert self._checkpointer is not None  # started
        return self._checkpointer

    @property
    def catalog(self) -> Catalog:
        """The tables and indexes as of the checkpoint."""
        return self._open_checkpointer().catalog

    @property
    def growth(self) -> Growth:
        """By how much tables have grown since the start of the server, as of the checkpoint."""
        return self._open_checkpointer().growth

    # Walks

    async def violations(self, schema: SchemaDescription, tables: list[str]) -> list[dict[str, Any]]:
        """Check every stored document of these tables; return `table count documents` where some do not fit.

        Nothing is built. `documents` are the first five: `table/id: what is wrong`.
        """
        loaded = load_schema(schema)
        found: list[dict[str, Any]] = []
        for name in tables:
            table = self.catalog.by_name.get(name)
            if table is None:
                continue
            walk = await self._walked(table.tablet, [], loaded, stops=False)
            if walk.violations:
                found.append(
                    {"table": name, "count": walk.violation_count, "documents": _named(name, walk.violations)}
                )
        return found

    async def walk(self, indexes: list[BuildingIndex], schema: SchemaDescription | None) -> None:
        """Enter stored documents into new indexes, and check every stored document against `schema`.

        Raises:
            PushRejected: some do not fit; the first are named.
        """
        by_tablet: dict[int, list[int]] = {}
        for index in indexes:
            by_tablet.setdefault(index.tablet, []).append(index.number)
        loaded = load_schema(schema) if schema is not None else None
        checkpointer = self._open_checkpointer()
        catalog = checkpointer.catalog
        if loaded is not None:
            for name in loaded.tables:
                table = catalog.by_name.get(name)
                if table is not None:
                    by_tablet.setdefault(table.tablet, [])
        for tablet, numbers in by_tablet.items():
            walk = await self._walked(tablet, numbers, loaded, stops=True)
            if walk.violations:
                raise _violations(catalog.by_tablet[tablet].name, walk.violations)

    async def _walked(
        self, tablet: int, numbers: list[int], schema: Schema | None, *, stops: bool
    ) -> IndexWalk:
        """Go through a tablet; with `stops` only as far as the first documents that do not fit."""
        checkpointer = self._open_checkpointer()
        table = checkpointer.catalog.by_tablet[tablet]

        def check(document: dict[str, Any]) -> None:
            if schema is not None:
                schema.check_document(table.name, document, checkpointer.catalog.table_number)

        walk = checkpointer.walk(
            tablet, numbers, since=checkpointer.checkpoint_seq, check=check if schema is not None else None
        )
        done = False
        try:
            while not done and not (stops and walk.violations):
                async with self._lock:
                    done = await self._run(walk.step)
                self.walking = (table.name, walk.walked)
        finally:
            self.walking = None
        return walk

    async def sweep(self) -> None:
        """Remove what the catalog no longer names, in slices."""
        checkpointer = self._open_checkpointer()
        done = False
        while not done and not self._closed:
            async with self._lock:
                done = await self._run(checkpointer.drop_slice)

    async def close(self) -> None:
        """Make a full checkpoint, so that the files at rest are complete, and close them."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*filter(None, (self._task, self._folding)), return_exceptions=True)
        if self._checkpointer is not None:
            async with self._lock:
                await self._fold(self._timeline.row)
            await self._run(self._checkpointer.close)
        self._thread.shutdown()


def _named(table: str, violations: list[tuple[str, str]]) -> list[str]:
    # The schema speaks of a write; here nothing was written.
    texts = [(id, text.partition("does not match the schema: ")[2] or text) for id, text in violations]
    return [f"{table}/{id}: {text}" for id, text in texts[:VIOLATIONS_SHOWN]]


def _violations(table: str, violations: list[tuple[str, str]]) -> PushRejected:
    named = _named(table, violations)
    return PushRejected(
        f'{len(violations)} or more documents in "{table}" do not fit the new schema: {named[0]}',
        code="SchemaMismatch",
        hint="make the field optional, or change the documents first",
        data={"table": table, "documents": named, "retryOn": "data"},
    )
