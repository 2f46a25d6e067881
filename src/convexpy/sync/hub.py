"""The hub: which queries a commit touches, when they run again, and when a session may be told.

One consistent Transition (ARCHITECTURE.md, section 4):
1. A tick at the newest durable row T starts all dirty queries of all sessions that are free, before the next row can
   enter any stream: so all their results are at T.
2. A session stays pinned to T until its last result is in; then it gets its Transition at T.
3. A query that is still running is not started again by a tick: who needs it waits. After three ticks of waiting it is
   started again in spite of that.
4. A finished mutation owes its session a Transition at or above its timestamp. If none of its queries is dirty, that is told in
   the next turn of the loop: the interval between ticks bounds how often queries run, and here none does.

One result for all callers: a function counts as independent of its caller until a run reads the identity. Then its queries are
personal: the result counts for the one it ran for, the others are resubscribed with their own identity.

Pages: the first run to end fixes the borders of a paginated query. A run that began without them and ends later is void:
two results with different borders would leave a gap to the next page, or overlap with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec

from convexpy.database import ReadSetIndex
from convexpy.protocol import sync
from convexpy.protocol.sync import StateVersion
from convexpy.sync.entries import (
    NOBODY,
    Key,
    QueryEntry,
    QueryOutcome,
    QueryRunner,
    Run,
    Subscriber,
)

TICK_INTERVAL_S = 0.002
TICKS_WAITED_MAX = 3
RETRY_FIRST_S, RETRY_MAX_S = 1.0, 60.0


class Timeline(Protocol):
    """Where the log stands."""

    @property
    def row(self) -> int:
        """The newest durable row."""
        ...

    @property
    def ts(self) -> int:
        """Its timestamp."""
        ...


class Hub:
    """All subscriptions of a deployment. Everything here runs on the event loop and never waits."""

    def __init__(self, timeline: Timeline, runner: QueryRunner) -> None:
        self._timeline = timeline
        self._runner = runner
        self._entries: dict[Key, QueryEntry] = {}
        self._tokens: dict[int, QueryEntry] = {}
        self._next_token = 0
        self._reads = ReadSetIndex()
        self._on_finished = self._run_finished  # one object for all entries
        self._personal: set[str] = set()
        self._transitions: dict[tuple[StateVersion, StateVersion, tuple[bytes, ...]], bytes] = {}
        self._free: dict[Subscriber, None] = {}
        self._owed: dict[Subscriber, None] = {}
        self._tick_handle: asyncio.Handle | None = None
        self._last_tick = 0.0

    @property
    def subscriptions(self) -> int:
        """The number of distinct queries that somebody subscribes to."""
        return len(self._tokens)

    # What sessions ask for

    def subscribe(self, session: Subscriber, query_id: int, key: Key) -> QueryEntry:
        """Add a subscription; the session must be scheduled to get its result."""
        caller = key.caller or b""
        if key.path not in self._personal:
            key = Key(key.path, key.args, None, key.access, key.journal)
        entry = self._entries.get(key)
        if entry is None:
            self._next_token += 1
            entry = QueryEntry(self._next_token, key, caller, self._on_finished)
            self._entries[key] = entry
            self._tokens[entry.token] = entry
        entry.subscribers[session] = (*entry.subscribers.get(session, ()), query_id)
        return entry

    def unsubscribe(self, session: Subscriber, query_id: int, entry: QueryEntry) -> None:
        """Drop a subscription; a query without subscribers is forgotten."""
        ids = tuple([other for other in entry.subscribers.get(session, ()) if other != query_id])
        if ids:
            entry.subscribers[session] = ids
        else:
            entry.subscribers.pop(session, None)
        if not entry.subscribers:
            if self._entries.get(entry.key) is entry:
                del self._entries[entry.key]
            if self._tokens.pop(entry.token, None) is not None and entry.latest is not None:
                self._reads.remove(entry.token)

    def schedule(self, session: Subscriber) -> None:
        """Have the session looked at by the next tick."""
        self._free[session] = None
        self._schedule_tick()

    def owe(self, session: Subscriber) -> None:
        """Have the session told of a mutation of its own that has ended."""
        if not self._owed:
            asyncio.get_running_loop().call_soon(self._tell_owed)
        self._owed[session] = None

    def is_scheduled(self, session: Subscriber) -> bool:
        """Whether the session will be looked at."""
        return session in self._free or session in self._owed

    def forget(self, session: Subscriber) -> None:
        """Drop a session that has closed."""
        self._free.pop(session, None)
        self._owed.pop(session, None)

    def transition(self, start: StateVersion, end: StateVersion, modifications: tuple[bytes, ...]) -> bytes:
        """Return the Transition between two state versions, built once for all who are told the same."""
        key = (start, end, modifications)
        message = self._transitions.get(key)
        if message is None:
            message = self._transitions[key] = sync.transition(start, end, modifications)
        return message

    # What the commit pipeline tells

    def committed(self, keys: Iterable[tuple[int, bytes]]) -> None:
        """Mark the queries dirty that one of these written keys touches."""
        if not self._tokens:
            return
        for token in self._reads.touched(keys):
            entry = self._tokens.get(token)
            if entry is not None:
                self._mark(entry)

    def invalidate_all(self) -> None:
        """Mark every query dirty: code, schema or variables have changed."""
        self._personal.clear()
        for entry in self._tokens.values():
            self._mark(entry)

    def _mark(self, entry: QueryEntry) -> None:
        entry.dirty = True
        for session, ids in entry.subscribers.items():
            session.changed.update(ids)
            self.schedule(session)

    # Ticks

    def _tell_owed(self) -> None:
        ts = self._timeline.ts
        while self._owed:
            session, _ = self._owed.popitem()
            if session in self._free or not session.acknowledge(ts):
                self.schedule(session)
        self._transitions.clear()

    def _schedule_tick(self) -> None:
        if self._tick_handle is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._last_tick + TICK_INTERVAL_S - loop.time()
        self._tick_handle = loop.call_later(wait, self._tick) if wait > 0 else loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._tick_handle = None
        self._last_tick = asyncio.get_running_loop().time()
        row, ts = self._timeline.row, self._timeline.ts
        for session in list(self._free):
            if session.closed:
                self.forget(session)
            elif session.pin is None and not session.congested:
                self._update(session, row, ts)
        self._transitions.clear()

    def _update(self, session: Subscriber, row: int, ts: int) -> None:
        # Loops and no generators here: a commit may come by for thousands of sessions.
        session.apply_pending()
        queries = session.queries
        runs: dict[QueryEntry, Run] = {}
        missing: list[QueryEntry] = []
        waits = False
        for query_id in session.changed:
            subscription = queries.get(query_id)
            if subscription is None:
                continue
            entry = subscription.entry
            # A result that is being replaced is no longer known to hold at this row.
            if entry.dirty or entry.running or entry.latest is None:
                run = entry.running_at(row)
                if run is not None:
                    runs[entry] = run
                else:
                    missing.append(entry)
                    waits = waits or bool(entry.running)
        if waits and session.ticks_waited < TICKS_WAITED_MAX:
            session.ticks_waited += 1
            return
        session.ticks_waited = 0
        self._free.pop(session, None)
        self._owed.pop(session, None)
        for entry in missing:
            if entry not in runs:
                runs[entry] = self._start(entry, row)
        session.pin_to(row, ts, runs)

    def _start(self, entry: QueryEntry, row: int) -> Run:
        run = Run(entry)
        run.row = row
        entry.running = (*entry.running, run)
        entry.dirty = False
        self._runner.run_query(entry, run)
        return run

    def _run_finished(self, run: Run, outcome: QueryOutcome) -> None:
        entry = run.entry
        entry.running = tuple([other for other in entry.running if other is not run])
        waiting, run.waiting = run.waiting, NOBODY
        if outcome.reads_identity and entry.key.caller is None:
            self._make_personal(entry)
        run.void = run.borders != entry.key.journal
        if entry.token in self._tokens:
            if run.void:
                self._mark(entry)
            elif entry.latest is None or entry.latest.row <= run.row:
                self._keep(run, outcome)
                for session, ids in entry.subscribers.items():
                    if session not in waiting:
                        session.changed.update(ids)
                        self.schedule(session)
        for session in waiting:
            session.run_finished(run)
        self._transitions.clear()
        if self._free:
            self._schedule_tick()

    def _keep(self, run: Run, outcome: QueryOutcome) -> None:
        """Make this the result of its entry, and listen to what it has read."""
        entry = run.entry
        entry.latest = run
        self._reads.put(entry.token, outcome.reads)
        self._move_to_journal(entry, run.journal)
        # A later run sees for itself whether it is stale; an earlier one that has not ended yet does not.
        if outcome.stale and not any(other.row > run.row for other in entry.running):
            self._mark(entry)
        entry.failures = entry.failures + 1 if outcome.passing else 0
        if outcome.passing:
            # Nobody knows what it would have read, so no commit brings it back.
            delay = min(RETRY_FIRST_S * 2 ** (entry.failures - 1), RETRY_MAX_S)
            asyncio.get_running_loop().call_later(delay, self._try_again, run)

    def _try_again(self, run: Run) -> None:
        if run.entry.token in self._tokens and run.entry.latest is run and not run.entry.running:
            self._mark(run.entry)

    def _make_personal(self, entry: QueryEntry) -> None:
        """A run has read the caller's identity: the result is that caller's, other subscribers get entries of their own."""
        self._personal.add(entry.key.path)
        self._file(entry, msgspec.structs.replace(entry.key, caller=entry.caller))
        for session, ids in list(entry.subscribers.items()):
            # Whom it subscribed for, not who it is by now: it may be about to tell of the caller before.
            others = [query_id for query_id in ids if session.queries[query_id].caller != entry.caller]
            if others:
                session.resubscribe(others)
                self.schedule(session)

    def _move_to_journal(self, entry: QueryEntry, journal: str | None) -> None:
        """File a paginated query under its journal: reruns keep its page borders, newcomers get a page of their own."""
        if journal is not None and journal != entry.key.journal:
            self._file(entry, msgspec.structs.replace(entry.key, journal=journal))

    def _file(self, entry: QueryEntry, key: Key) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
        entry.key = key
        self._entries.setdefault(key, entry)
