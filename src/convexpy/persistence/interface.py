"""What a durable log and its checkpoint offer; nothing here knows of transactions or documents' contents.

Log: rows `(seq, ts, entry)`, `seq` dense from 1, `ts` growing. An entry is opaque.
Checkpoint: per tablet documents by id, per index `key → document`, replay records and named texts, all as
of one row. Index keys and ids come in byte order; ranges are half-open, `[lower, upper)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from convexpy.errors import Error


class StoreFull(Exception):
    """A write was refused and is surely not there: no space, or another process kept the file busy."""


class OutcomeUnknown(Exception):
    """A write failed in a way that leaves open whether it is there.

    The process must stop; recovery decides.
    """


class StoreUnreachable(Exception):
    """The database server was not there for too long, or refused to read. What needed it has not happened."""


class DataDamaged(Error):
    """Stored bytes are not what was written: a fault of the disk, its driver, or a copy."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="stop the server; `convexpy doctor --deep --data DIR` lists all damage; then restore a backup, "
            "and look at the disk before that",
        )


class StoreRefused(Error, code="FilesMismatch"):
    """The data folder must not be opened; nothing was changed.

    Codes: `DataFolderInUse`, `NetworkFileSystem`, `NewerFormat`, `DeploymentMismatch`, `FilesMismatch`, `StorageFull`,
    `StorageFailed`, `DataFolderUnusable`; of a database server `DatabaseAddressInvalid`, `DatabaseUnreachable`,
    `DatabaseRefused`, `DatabaseInUse`.
    """


class LogRow(NamedTuple):
    """One durable row of the log."""

    seq: int
    ts: int
    entry: bytes


class ReplayRecord(NamedTuple):
    """What a session's mutation answered. `seq` is None while its row is not durable."""

    session: str
    request: int
    seq: int | None
    ts: int | None
    result: bytes


class DocumentChange(NamedTuple):
    """The last state of a document; None as `document` removes it."""

    tablet: int
    id: str
    creation_time: float
    document: bytes | None


class KeyChange(NamedTuple):
    """The last state of an index key; None as `id` removes it.

    An added key's document is in the same batch.
    """

    index_number: int
    key: bytes
    tablet: int
    id: str | None


class WalkedDocument(NamedTuple):
    """A document as an index walk meets it; `n` is its position in the tablet."""

    n: int
    id: str
    document: bytes


@dataclass(slots=True)
class CheckpointBatch:
    """Everything that moves a checkpoint from one row to a later one; applied as a whole or not at all."""

    seq: int
    documents: Sequence[DocumentChange] = ()
    keys: Sequence[KeyChange] = ()
    replay: Sequence[ReplayRecord] = ()
    replay_at_ms: int = 0
    max_creation_time: float = 0.0
    tables: Mapping[str, int] | None = field(default=None)
    """Names of tables → tablets, given when they changed: what a person sees when opening the files."""


class Compaction(NamedTuple):
    """How far the writer came with reclaiming space."""

    waits_for_readers: bool
    """Readers still need what could be reclaimed: try again when they have begun a new read transaction."""
    done: bool
    """Nothing is left to reclaim."""


class LogStore(Protocol):
    """The log. One owner writes to it, from one thread at a time."""

    @property
    def is_local(self) -> bool:
        """Whether an append needs no other machine or process, so that a quick one may hold up the event loop."""
        ...

    def append(self, seq: int, ts: int, entry: bytes) -> None:
        """Make a row durable.

        Raises:
            StoreFull: the row is surely not there.
            OutcomeUnknown: anything else, a failed sync above all.
        """
        ...

    def rows(self, after_seq: int, limit: int | None = None) -> list[LogRow]:
        """Return the rows after `after_seq` in order."""
        ...

    def rows_since(self, ts: int, bytes_max: int) -> list[LogRow] | None:
        """Return the newest row up to timestamp `ts` and all after it, in order; may be called from any thread.

        None when they are not kept any more, or their entries have more than `bytes_max` bytes together.
        """
        ...

    @property
    def first_seq(self) -> int | None:
        """The oldest row kept, or None when there is none."""
        ...

    def last_row(self) -> LogRow | None:
        """Return the newest row, or None when there is none."""
        ...

    def sizes(self) -> list[tuple[int, int]]:
        """Return the bytes of the entry of each row kept, the oldest first."""
        ...

    def trim(self, before_seq: int, limit: int) -> int:
        """Delete at most `limit` rows below `before_seq`, oldest first, never the last row.

        Return how many.
        """
        ...

    def probe(self) -> None:
        """Write and sync something small, to learn whether appends may work again; raises as `append`."""
        ...

    def compact(self) -> None:
        """Reclaim what appending has left behind, as far as nobody reads it; raises as `append`, rows are safe."""
        ...

    def recover(self) -> None:
        """Make what a crash has left complete and durable; called once at start, before anything is appended."""
        ...

    def close(self) -> None:
        """Release the files; may be called twice."""
        ...


class CheckpointWriter(Protocol):
    """The one writer of the checkpoint."""

    @property
    def checkpoint_seq(self) -> int:
        """The row that the checkpoint equals; 0 when nothing was applied yet."""
        ...

    def apply(self, batch: CheckpointBatch) -> None:
        """Apply all of `batch`, `checkpoint_seq` included, in one transaction.

        Raises OSError or StoreFull.
        """
        ...

    def walk(self, tablet: int, after_n: int, limit: int) -> list[WalkedDocument]:
        """Return the next documents of a tablet in the order of `n`."""
        ...

    def enter_keys(self, index: int, tablet: int, keys: Iterable[tuple[bytes, int]]) -> None:
        """Enter `(key, n)` pairs of documents just walked into an index, in one transaction."""
        ...

    def drop_index(self, index: int, limit: int) -> bool:
        """Remove at most `limit` keys; True when the index is gone."""
        ...

    def drop_tablet(self, tablet: int, limit: int) -> bool:
        """Remove at most `limit` documents; True when the tablet is gone.

        Its indexes are dropped separately.
        """
        ...

    def stored(self) -> tuple[set[int], set[int]]:
        """Return the numbers of the tablets and of the indexes that take up space."""
        ...

    def trim_replay(self, before_ms: int, limit: int) -> int:
        """Delete at most `limit` replay records applied before that wall-clock time; return how many."""
        ...

    def compact(self) -> Compaction:
        """Reclaim what applying has left behind, as far as readers allow; raises as `apply`."""
        ...

    def recover(self) -> None:
        """Make what a crash has left complete and durable; called once at start."""
        ...

    def close(self) -> None:
        """Release the files; may be called twice."""
        ...


class CheckpointReader(Protocol):
    """Reads of the checkpoint at one moment.

    All reads between `begin` and `renew` or `end` see the same row.
    """

    @property
    def is_local(self) -> bool:
        """Whether a read is a matter of microseconds; else it is a journey, which had better bring more than one document."""
        ...

    def begin(self) -> int:
        """Open a read transaction if none is open; return its `checkpoint_seq`."""
        ...

    def renew(self) -> int:
        """Close the read transaction and open one on the newest state; return its `checkpoint_seq`."""
        ...

    def end(self) -> None:
        """Close the read transaction."""
        ...

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document. Like all reads below, only between `begin` and `end`."""
        ...

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first `limit` of `(key, id, document)` with lower ≤ key < upper."""
        ...

    def ids(
        self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return `(id as bytes, id, document)` by id: the range read of `by_id`."""
        ...

    def count(self, tablet: int) -> int:
        """Return the number of documents; linear in it."""
        ...

    def measure(self, tablet: int) -> tuple[int, int]:
        """Return the number of documents and their bytes as stored; reads them all."""
        ...

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's mutation answered, if it is known."""
        ...

    def replays(self, after: tuple[str, int], limit: int) -> list[tuple[ReplayRecord, int]]:
        """Return the next replay records by (session, request), each with the time at which it was applied, in ms."""
        ...

    def meta(self, name: str) -> str | None:
        """Return a named text: `deployment_id`, `checkpoint_seq`, `max_creation_time`, `format`."""
        ...

    def close(self) -> None:
        """Release the files; may be called twice."""
        ...


class DataStore(Protocol):
    """A log and a checkpoint, opened and owned by this process until `close`. A database engine implements this."""

    deployment_id: str
    address: str
    """What `open_reader` takes in another process; empty if the store is in this process's memory."""

    @property
    def log(self) -> LogStore:
        """The log."""
        ...

    def writer(self) -> CheckpointWriter:
        """Open the checkpoint for writing. One at a time: who is done with it closes it."""
        ...

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading, in this process."""
        ...

    def watch(self, lost: Callable[[BaseException], None]) -> None:
        """Have `lost` called, from any thread, if another process has taken over the store: this one must end."""
        ...

    def check_in_background(self) -> None:
        """Begin to check what took too long to be checked at start; what is found is logged."""
        ...

    def nodes(self) -> list[Node]:
        """Return the nodes that share the store and were seen within seconds; none where it cannot be shared."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


class Node(NamedTuple):
    """A server among several of one deployment. `address` is what it says of itself, `place` its process and machine."""

    address: str
    place: str
    since_ms: float
    serves: bool


ENCODED_ADDRESS = "postgresql "
"""What the address of a store in PostgreSQL begins with, for another process; all others are folders."""


@dataclass(frozen=True)
class DatabaseOption:
    """The database server that a deployment was given: a libpq URL, which may have a password, and a schema's name.

    `read_url` names the same database as a role that may only read, for the processes that run app code.
    """

    url: str = field(repr=False)
    schema: str | None = None
    read_url: str | None = field(default=None, repr=False)


class CopyTarget(Protocol):
    """A store that is being filled with all of another one; until `finish` nobody can open it."""

    place: str
    """Where it is, for people."""

    @property
    def log(self) -> LogStore:
        """The log: empty, of the same deployment."""
        ...

    def writer(self) -> CheckpointWriter:
        """Open the checkpoint for writing; `apply` of row 0 fills it without moving it."""
        ...

    def reader(self) -> CheckpointReader:
        """Open the checkpoint for reading."""
        ...

    def finish(self) -> None:
        """Make it a store that can be opened; log, writers and readers are closed."""
        ...

    def close(self) -> None:
        """Release it, finished or not; may be called twice."""
        ...
