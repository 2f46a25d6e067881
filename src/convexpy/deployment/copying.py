"""Copying all data of a stopped deployment from one engine to another: exact, checked, and complete or not there.

What is copied is the checkpoint at the newest row of the log: documents, keys of indexes, replay records, and that row. Older
rows are not: the copy cannot be asked for moments before it. Everything is read back from the copy and compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from convexpy.database import Catalog, Checkpointer, creation_time
from convexpy.database.catalog import TableInfo
from convexpy.errors import Error
from convexpy.persistence import (
    CheckpointBatch,
    CheckpointReader,
    CheckpointWriter,
    CopyTarget,
    DatabaseOption,
    DataStore,
    DocumentChange,
    KeyChange,
    LogRow,
    ReplayRecord,
    StoreRefused,
    moved,
    open_source,
    open_target,
)

ALL = b"\xff"
PAGE = 500
BATCH = 4_000
Progress = Callable[[str, int], None]


class CopyDiffers(Error):
    """What was read back from a copy is not what was copied."""


@dataclass
class Copied:
    """What was copied, and to where."""

    place: str
    tables: int
    documents: int
    replay_records: int


def copy_data(source: Path | DatabaseOption, target: Path | DatabaseOption, progress: Progress) -> Copied:
    """Copy all data; both deployments are stopped meanwhile, and kept from being started.

    Raises:
        StoreRefused: one of them cannot be opened, the source has no data, or the target has.
        DataDamaged: the source is not what was written.
        CopyDiffers: the copy is not what was copied; it is not used.
    """
    if isinstance(source, Path) and not (source / "log.db").exists():
        raise StoreRefused(
            f"{source} has no data: there is no log.db", hint="name the data folder of a deployment"
        )
    with closing(open_source(source)) as store:
        newest = _fold(store)
        with closing(open_target(target, store.deployment_id)) as filled, closing(store.reader()) as reader:
            reader.begin()
            done = _Copy(reader, filled, newest, progress).run()
            filled.finish()
        if isinstance(source, Path):
            moved.note(source, store.deployment_id, done.place)
        return done


def _fold(store: DataStore) -> LogRow:
    """Move the checkpoint to the newest row, and return that."""
    newest = store.log.last_row()
    if newest is None:
        raise StoreRefused("there is no data to copy: the deployment was never started")
    with closing(Checkpointer(store.writer())) as checkpointer:
        for row in store.log.rows(checkpointer.checkpoint_seq):
            checkpointer.row(*row)
        checkpointer.run(newest.seq, now_ms=int(time.time() * 1000))
    return newest


class _Copy:
    def __init__(
        self, reader: CheckpointReader, target: CopyTarget, newest: LogRow, progress: Progress
    ) -> None:
        self._reader = reader
        self._target = target
        self._newest = newest
        self._progress = progress
        self._documents = 0
        self._replays = 0

    def run(self) -> Copied:
        catalog = Catalog.load(_every(self._reader, 1), _every(self._reader, 2))
        tables = sorted(catalog.by_tablet.values(), key=lambda table: table.tablet)
        with closing(self._target.writer()) as writer:
            for table in tables:
                self._table(writer, table)
            self._replay(writer)
            names = {table.name: table.tablet for table in catalog.by_name.values()}
            highest = float(self._reader.meta("max_creation_time") or 0)
            writer.apply(CheckpointBatch(self._newest.seq, max_creation_time=highest, tables=names))
        self._target.log.append(*self._newest)
        with closing(self._target.reader()) as copy:
            copy.begin()
            for table in tables:
                self._compare(copy, table)
        return Copied(self._target.place, len(names), self._documents, self._replays)

    def _table(self, writer: CheckpointWriter, table: TableInfo) -> None:
        documents: list[DocumentChange] = []
        for id, document in _documents(self._reader, table.tablet):
            documents.append(DocumentChange(table.tablet, id, creation_time(document), document))
            if len(documents) == BATCH:
                self._write(writer, documents, table)
        self._write(writer, documents, table)
        for index in table.indexes:
            keys: list[KeyChange] = []
            for key, id in _keys(self._reader, index.number, table.tablet):
                keys.append(KeyChange(index.number, key, table.tablet, id))
                if len(keys) == BATCH:
                    writer.apply(CheckpointBatch(0, keys=keys))
                    keys.clear()
            writer.apply(CheckpointBatch(0, keys=keys))

    def _write(self, writer: CheckpointWriter, documents: list[DocumentChange], table: TableInfo) -> None:
        writer.apply(CheckpointBatch(0, documents))
        self._documents += len(documents)
        self._progress(f"documents, in {table.name}", self._documents)
        documents.clear()

    def _replay(self, writer: CheckpointWriter) -> None:
        after = ("", -1)
        while found := self._reader.replays(after, PAGE):
            by_time: dict[int, list[ReplayRecord]] = {}
            for record, at_ms in found:
                by_time.setdefault(at_ms, []).append(record)
            for at_ms, records in by_time.items():
                writer.apply(CheckpointBatch(0, replay=records, replay_at_ms=at_ms))
            self._replays += len(found)
            after = found[-1][0][:2]

    def _compare(self, copy: CheckpointReader, table: TableInfo) -> None:
        """Read a table back, documents and keys of indexes."""
        self._progress(f"documents compared, up to {table.name}", self._documents)
        if _digest(self._reader, table) != _digest(copy, table):
            raise CopyDiffers(
                f"the copy of {table.name} in {self._target.place} is not what was copied",
                hint="the copy is not used; look at both disks, then start it again",
            )


def _every(reader: CheckpointReader, tablet: int) -> Iterator[bytes]:
    return (document for _, document in _documents(reader, tablet))


def _documents(reader: CheckpointReader, tablet: int) -> Iterator[tuple[str, bytes]]:
    lower = b""
    while found := reader.ids(tablet, lower, ALL, desc=False, limit=PAGE):
        yield from ((id, document) for _, id, document in found)
        lower = found[-1][0] + b"\0"


def _keys(reader: CheckpointReader, index: int, tablet: int) -> Iterator[tuple[bytes, str]]:
    lower = b""
    while found := reader.range(index, tablet, lower, ALL * 9, desc=False, limit=PAGE):
        yield from ((key, id) for key, id, _ in found)
        lower = found[-1][0] + b"\0"


def _digest(reader: CheckpointReader, table: TableInfo) -> bytes:
    digest = blake2b()
    for id, document in _documents(reader, table.tablet):
        digest.update(b"%d %s %d " % (len(id), id.encode(), len(document)) + document)
    for index in table.indexes:
        digest.update(b"index %d " % index.number)
        for key, id in _keys(reader, index.number, table.tablet):
            digest.update(b"%d %s %s " % (len(key), key, id.encode()))
    return digest.digest()
