"""Shared query results: one entry per (function, arguments, caller, journal), computed once for all who subscribe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from convexpy.access import Access
from convexpy.protocol import sync

ReadRange = tuple[int, bytes, bytes | None]


class QueryOutcome(msgspec.Struct, gc=False):
    """How one run of a query ended, as the runner reports it.

    `row` is the row of the log it was computed at; `stale` says that a later row has already touched what it read.
    `message` is the failure text for the client, None if the query succeeded; `fingerprint` is the same text without
    anything that differs between runs. `passing` says that the server is to blame, so that it may go better next time.
    """

    row: int
    stale: bool
    value: bytes
    message: str | None
    fingerprint: str | None
    data: bytes | None
    log_lines: bytes
    journal: str | None
    reads: list[ReadRange]
    reads_identity: bool = False
    passing: bool = False


class QueryRunner(Protocol):
    """Runs queries at the newest durable row."""

    def run_query(self, entry: QueryEntry, run: Run) -> None:
        """Start the query; `run.finish(outcome)` is called later, never before this returns."""
        ...


class Key(msgspec.Struct, frozen=True, gc=False):
    """What makes two subscriptions the same query.

    `args` is canonical wire JSON. `caller` is JSON of claims, empty for nobody, None for everybody: a query that does
    not read the identity of the caller has one result for all.
    """

    path: str
    args: bytes
    caller: bytes | None
    access: Access | None
    journal: str | None


class Run:
    """One execution of an entry's query, begun at row `row` (0 while it waits for an executor)."""

    __slots__ = (
        "_head",
        "_told",
        "_told_as",
        "borders",
        "entry",
        "failed",
        "journal",
        "row",
        "seen_hash",
        "void",
        "waiting",
    )

    def __init__(self, entry: QueryEntry) -> None:
        self.entry: QueryEntry = entry
        self.row: int = 0
        self.borders: str | None
        self.borders = self.journal = entry.key.journal
        """The page borders that it was given, and when it has finished those that the next run gets."""
        self.void: bool = False
        """Whether another run has moved the borders meanwhile: what this one found is shown to nobody."""
        self.failed: bool | None = None
        """Whether the query failed; None while it runs."""
        self.waiting: dict[Subscriber, None] = {}  # in order, and there may be thousands
        self.seen_hash: int = 0
        # The newest modification that told of it. Results are kept once: behind the first `_head` bytes is what all share.
        self._told, self._head, self._told_as = b"", 0, -1

    def finish(self, outcome: QueryOutcome) -> None:
        """Take the outcome; the entry tells the hub."""
        if self.failed is not None:
            return
        self.failed = outcome.message is not None
        self.row = outcome.row
        if outcome.message is None:
            self.journal = outcome.journal
            self._told = sync.query_updated(outcome.value, outcome.log_lines, outcome.journal)
            self.seen_hash = hash((outcome.value, outcome.log_lines))
        else:
            # It may have failed before it came to its pages: their borders stay, unless they are what it fails of.
            if b"InvalidCursor" in (outcome.data or b""):
                self.journal = None
            self._told = sync.query_failed(outcome.message, outcome.data, outcome.log_lines, self.journal)
            self.seen_hash = hash((outcome.fingerprint, outcome.data, outcome.log_lines))
        self.entry.on_finished(self, outcome)

    def modification(self, query_id: int) -> bytes:
        """Return the modification that tells a client of this result; most clients have it under the same id."""
        if query_id != self._told_as:
            kind: Literal["QueryFailed", "QueryUpdated"] = "QueryFailed" if self.failed else "QueryUpdated"
            head = sync.modification_head(kind, query_id)
            self._told, self._head, self._told_as = head + self._told[self._head :], len(head), query_id
        return self._told


class QueryEntry:
    """A query that somebody subscribes to, with its newest result. It runs for `caller`, whoever else subscribes."""

    __slots__ = (
        "caller",
        "dirty",
        "failures",
        "key",
        "latest",
        "on_finished",
        "running",
        "subscribers",
        "token",
    )

    def __init__(
        self, token: int, key: Key, caller: bytes, on_finished: Callable[[Run, QueryOutcome], None]
    ) -> None:
        self.token: int = token
        self.key: Key = key
        self.caller: bytes = caller
        self.latest: Run | None = None
        self.running: tuple[Run, ...] = ()
        self.failures: int = 0
        """How many runs in a row the server could not bring to an end."""
        self.dirty: bool = True
        self.subscribers: dict[Subscriber, tuple[int, ...]] = {}
        """Who subscribes, and by which ids."""
        self.on_finished: Callable[[Run, QueryOutcome], None] = on_finished

    def running_at(self, row: int) -> Run | None:
        """Return the run that is under way at this row."""
        for run in self.running:
            if run.row == row:
                return run
        return None


@dataclass(slots=True)
class Subscription:
    """One query id of the session's query set."""

    entry: QueryEntry
    caller: bytes | None
    """For whom it subscribes: the entry may be for everybody."""
    journal: str | None
    sent_hash: int | None = None


@dataclass(slots=True)
class Pin:
    """The moment that a Transition in the making will be of, and what it waits for."""

    row: int
    ts: int
    query_set: int
    identity: int
    waiting: set[Run]
    results: dict[int, Run]
    removed: list[int]
    void: bool = False


@dataclass(slots=True)
class Pending:
    """What the client has sent since the last moment was fixed."""

    modifications: list[sync.AddQuery | sync.RemoveQuery] = field(default_factory=list)
    identity_changed: bool = False

    def __bool__(self) -> bool:
        return self.identity_changed or bool(self.modifications)


NOBODY: dict[Subscriber, None] = {}
"""What a run has when it has ended: one object for all."""


class Subscriber(Protocol):
    """What entries and the hub use of a session."""

    closed: bool
    queries: dict[int, Subscription]
    changed: set[int]
    pin: Pin | None
    ticks_waited: int

    @property
    def congested(self) -> bool:
        """Whether the client reads too slowly to be sent more."""
        ...

    def apply_pending(self) -> None:
        """Make what the client has asked for part of the query set."""
        ...

    def acknowledge(self, ts: int) -> bool:
        """Tell that a mutation of its own is durable; False if there is more to tell than that."""
        ...

    def pin_to(self, row: int, ts: int, runs: Mapping[QueryEntry, Run]) -> None:
        """Begin a Transition at this moment, with the results of these runs."""
        ...

    def run_finished(self, run: Run) -> None:
        """One of the runs that the pin waits for is in."""
        ...

    def resubscribe(self, query_ids: Iterable[int]) -> None:
        """Subscribe again with the session's own identity."""
        ...
