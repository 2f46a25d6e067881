"""Log and checkpoint in memory, for `convexpy.testing` and for tests: the same promises, but for durability.

A `MemoryFiles` plays the disk: whoever opens stores on it again finds what was there, as after a crash.
Snapshots: a batch changes the current version in place if no reader holds it, else a copy of what it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sortedcontainers import SortedDict

from convexpy.persistence.interface import (
    CheckpointBatch,
    Compaction,
    LogRow,
    Node,
    ReplayRecord,
    StoreFull,
    WalkedDocument,
)


class _Tablet:
    """Documents by id, each with the number under which it was first stored."""

    def __init__(self) -> None:
        self.by_id: Any = SortedDict()  # id → (n, document)
        self.by_n: Any = SortedDict()  # n → id

    def copy(self) -> _Tablet:
        copied = _Tablet()
        copied.by_id = self.by_id.copy()
        copied.by_n = self.by_n.copy()
        return copied

    def put(self, id: str, document: bytes | None) -> None:
        known = self.by_id.get(id)
        if document is None:
            if known is not None:
                del self.by_id[id], self.by_n[known[0]]
            return
        n = known[0] if known is not None else (self.by_n.peekitem(-1)[0] + 1 if self.by_n else 1)
        self.by_id[id] = (n, document)
        self.by_n[n] = id


class _Version:
    """One state of the checkpoint. Maps are shared between versions until a batch changes them."""

    def __init__(self, meta: dict[str, str]) -> None:
        self.tablets: dict[int, _Tablet] = {}
        self.indexes: dict[int, Any] = {}  # index → SortedDict key → id
        self.replay: dict[tuple[str, int], tuple[int, ReplayRecord]] = {}
        self.meta = meta
        self.readers = 0
        # What no older version, which may be read, shares with this one.
        self._own_tablets: set[int] = set()
        self._own_indexes: set[int] = set()

    def successor(self, *, tablets: Iterable[int] = (), indexes: Iterable[int] = ()) -> _Version:
        """Return a version whose named tablets and indexes may be changed: this one, if nobody reads it."""
        new = self
        if self.readers:
            new = _Version(dict(self.meta))
            new.replay = dict(self.replay)
            new.tablets = dict(self.tablets)
            new.indexes = dict(self.indexes)
        for tablet in set(tablets):
            known = new.tablets.get(tablet)
            if known is None:
                new.tablets[tablet] = _Tablet()
            elif tablet not in new._own_tablets:
                new.tablets[tablet] = known.copy()
        for index in set(indexes):
            if index not in new.indexes:
                new.indexes[index] = SortedDict()
            elif index not in new._own_indexes:
                new.indexes[index] = new.indexes[index].copy()
        new._own_tablets.update(tablets)
        new._own_indexes.update(indexes)
        return new


class MemoryFiles:
    """What a disk would hold. With `capacity_rows` it is full after so many rows of log."""

    def __init__(self, deployment_id: str = "memory", *, capacity_rows: int | None = None) -> None:
        self.deployment_id = deployment_id
        self.address = ""
        self.capacity_rows = capacity_rows
        self.rows: list[LogRow] = []
        self.version: _Version = _Version(
            {"deployment_id": deployment_id, "checkpoint_seq": "0", "max_creation_time": "0.0", "format": "2"}
        )
        self.log: MemoryLogStore = MemoryLogStore(self)

    def writer(self) -> MemoryCheckpointWriter:
        """Open the checkpoint for writing."""
        return MemoryCheckpointWriter(self)

    def reader(self) -> MemoryCheckpointReader:
        """Open the checkpoint for reading."""
        return MemoryCheckpointReader(self)

    def nodes(self) -> list[Node]:
        """Return none: nobody shares it."""
        return []

    def watch(self, lost: Callable[[BaseException], None]) -> None:
        """Do nothing: no other process can reach it."""

    def check_in_background(self) -> None:
        """Do nothing: memory is not checked."""

    def close(self) -> None:
        """Do nothing: whoever opens it again finds what was there."""


class MemoryLogStore:
    """The log as a list."""

    is_local = True

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files

    def append(self, seq: int, ts: int, entry: bytes) -> None:
        """Add a row."""
        self.probe()
        self._files.rows.append(LogRow(seq, ts, entry))

    def rows(self, after_seq: int, limit: int | None = None) -> list[LogRow]:
        """Return the rows after `after_seq` in order."""
        rows = self._files.rows
        if not rows:
            return []
        start = max(after_seq + 1 - rows[0].seq, 0)
        return rows[start:] if limit is None else rows[start : start + limit]

    def rows_since(self, ts: int, bytes_max: int) -> list[LogRow] | None:
        """Return the row at a timestamp and those after it."""
        rows = list(self._files.rows)
        first = next((at for at in reversed(range(len(rows))) if rows[at].ts <= ts), None)
        if first is None or sum(len(row.entry) for row in rows[first:]) > bytes_max:
            return None
        return rows[first:]

    @property
    def first_seq(self) -> int | None:
        """The oldest row kept."""
        return self._files.rows[0].seq if self._files.rows else None

    def last_row(self) -> LogRow | None:
        """Return the newest row."""
        return self._files.rows[-1] if self._files.rows else None

    def sizes(self) -> list[tuple[int, int]]:
        """Return `(ts, bytes of the entry)` of each row kept, in order."""
        return [(row.ts, len(row.entry)) for row in self._files.rows]

    def trim(self, before_seq: int, limit: int) -> int:
        """Delete old rows."""
        rows = self._files.rows
        if not rows:
            return 0
        count = max(0, min(before_seq - rows[0].seq, limit, len(rows) - 1))
        del rows[:count]
        return count

    def probe(self) -> None:
        """Fail while the capacity is reached."""
        capacity = self._files.capacity_rows
        if capacity is not None and len(self._files.rows) >= capacity:
            raise StoreFull(f"the log holds {capacity} rows, its capacity")

    def compact(self) -> None:
        """Do nothing: appending leaves nothing behind."""

    def recover(self) -> None:
        """Do nothing: what is there is complete."""

    def close(self) -> None:
        """Do nothing: the files stay."""


class MemoryCheckpointWriter:
    """Applies batches to the shared state."""

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files

    @property
    def checkpoint_seq(self) -> int:
        """The row that the checkpoint equals."""
        return int(self._files.version.meta["checkpoint_seq"])

    def apply(self, batch: CheckpointBatch) -> None:
        """Apply a batch as a whole."""
        tablets = {change.tablet for change in batch.documents} | set((batch.tables or {}).values())
        new = self._files.version.successor(tablets=tablets, indexes={key.index_number for key in batch.keys})
        for change in batch.documents:
            new.tablets[change.tablet].put(change.id, change.document)
        for index, key, _, id in batch.keys:
            if id is None:
                new.indexes[index].pop(key, None)
            else:
                new.indexes[index][key] = id
        for record in batch.replay:
            new.replay[record.session, record.request] = (batch.replay_at_ms, record)
        new.meta["checkpoint_seq"] = str(batch.seq)
        known = float(new.meta["max_creation_time"])
        new.meta["max_creation_time"] = repr(max(batch.max_creation_time, known))
        self._files.version = new

    def walk(self, tablet: int, after_n: int, limit: int) -> list[WalkedDocument]:
        """Return the next documents of a tablet."""
        documents = self._files.version.tablets.get(tablet)
        if documents is None:
            return []
        found: list[WalkedDocument] = []
        for n in documents.by_n.irange(after_n, inclusive=(False, True)):
            id = documents.by_n[n]
            found.append(WalkedDocument(n, id, documents.by_id[id][1]))
            if len(found) == limit:
                break
        return found

    def enter_keys(self, index: int, tablet: int, keys: Iterable[tuple[bytes, int]]) -> None:
        """Enter the keys of walked documents."""
        new = self._files.version.successor(tablets=(tablet,), indexes=(index,))
        by_n = new.tablets[tablet].by_n
        for key, n in keys:
            new.indexes[index][key] = by_n[n]
        self._files.version = new

    def drop_index(self, index: int, limit: int) -> bool:
        """Remove an index, at once."""
        new = self._files.version.successor()
        new.indexes.pop(index, None)
        self._files.version = new
        return True

    def drop_tablet(self, tablet: int, limit: int) -> bool:
        """Remove a tablet, at once."""
        new = self._files.version.successor()
        new.tablets.pop(tablet, None)
        self._files.version = new
        return True

    def stored(self) -> tuple[set[int], set[int]]:
        """Return the numbers of the stored tablets and indexes."""
        return set(self._files.version.tablets), set(self._files.version.indexes)

    def trim_replay(self, before_ms: int, limit: int) -> int:
        """Delete old replay records."""
        new = self._files.version.successor()
        old = [key for key, (at_ms, _) in new.replay.items() if at_ms < before_ms][:limit]
        for key in old:
            del new.replay[key]
        self._files.version = new
        return len(old)

    def compact(self) -> Compaction:
        """Do nothing: applying leaves nothing behind."""
        return Compaction(waits_for_readers=False, done=True)

    def recover(self) -> None:
        """Do nothing: what is there is complete."""

    def close(self) -> None:
        """Do nothing: the files stay."""


class MemoryCheckpointReader:
    """Holds one version while a read transaction is open."""

    is_local = True

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self._held: _Version | None = None

    @property
    def _version(self) -> _Version:
        return self._held if self._held is not None else self._files.version

    def begin(self) -> int:
        """Hold the current version."""
        if self._held is None:
            self._held = self._files.version
            self._held.readers += 1
        return int(self._held.meta["checkpoint_seq"])

    def renew(self) -> int:
        """Hold the newest version."""
        self.end()
        return self.begin()

    def end(self) -> None:
        """Let the version go."""
        if self._held is not None:
            self._held.readers -= 1
            self._held = None

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document."""
        documents = self._version.tablets.get(tablet)
        found = documents.by_id.get(id) if documents is not None else None
        return found[1] if found is not None else None

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first entries of an index range with their documents."""
        keys = self._version.indexes.get(index)
        documents = self._version.tablets.get(tablet)
        if keys is None or documents is None or lower >= upper:
            return []
        found: list[tuple[bytes, str, bytes]] = []
        for key in keys.irange(lower, upper, inclusive=(True, False), reverse=desc):
            id = keys[key]
            found.append((key, id, documents.by_id[id][1]))
            if len(found) >= limit:
                break
        return found

    def ids(
        self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first documents of a range of ids."""
        documents = self._version.tablets.get(tablet)
        if documents is None or lower >= upper:
            return []
        first, last = (bound.decode("latin-1") for bound in (lower, upper))
        found: list[tuple[bytes, str, bytes]] = []
        for id in documents.by_id.irange(first, last, inclusive=(True, False), reverse=desc):
            found.append((id.encode(), id, documents.by_id[id][1]))
            if len(found) >= limit:
                break
        return found

    def count(self, tablet: int) -> int:
        """Return the number of documents."""
        documents = self._version.tablets.get(tablet)
        return len(documents.by_id) if documents is not None else 0

    def measure(self, tablet: int) -> tuple[int, int]:
        """Return the number of documents and their bytes as stored."""
        documents = self._version.tablets.get(tablet)
        stored = [] if documents is None else documents.by_id.values()
        return len(stored), sum(len(document) for _, document in stored)

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's mutation answered."""
        found = self._version.replay.get((session, request))
        return found[1] if found is not None else None

    def replays(self, after: tuple[str, int], limit: int) -> list[tuple[ReplayRecord, int]]:
        """Return the next replay records."""
        found = sorted(key for key in self._version.replay if key > after)[:limit]
        return [(record, at_ms) for at_ms, record in map(self._version.replay.__getitem__, found)]

    def meta(self, name: str) -> str | None:
        """Return a named text."""
        return self._version.meta.get(name)

    def close(self) -> None:
        """Let the version go."""
        self.end()
