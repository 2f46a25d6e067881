"""Group commit: one at a time, in a thread of its own or, where the disk is quick, on the event loop's.

A group is what was submitted while the previous one was being synced: one row, one sync for many mutations.
Outcomes of the thread go back through `call_soon` (an event loop's `call_soon_threadsafe`), one callback per group, in
the order of the groups.

A hand-over to the thread and back, with the interpreter lock on the way, costs more than a quick sync. So after many
appends in a row that took less than a millisecond, a small group is committed where it is submitted. The first append that
takes longer, for the disk is slow, busy with a checkpoint or stuck, gives the next ones back to the thread.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from convexpy.database._entries import encode_entry
from convexpy.limits import Knobs
from convexpy.persistence import LogRow, LogStore, StoreFull
from convexpy.runtime import Clock, name_thread, pauses

SWITCH_INTERVAL_S = 0.0002
"""Beside a busy loop a commit took 5.6 ms with Python's default of 5 ms, and 0.9 ms with 0.5."""
COMPACT_AFTER_BYTES = 12 * 1024 * 1024
"""Below what the file may keep: cut back and grown again at every fold it would make commits slower."""
ROW_OVERHEAD_BYTES = 2 * 4096
"""What a row takes in the write-ahead log beside its entry: the pages that it changes are written whole."""
TRIM_SLICE_ROWS = 100
PROBE_INTERVAL_S = 1.0
QUICK_S = 0.001
"""An append below this is quick: it may hold up the event loop."""
QUICK_APPENDS = 100
"""So many in a row show that the next one will most likely be, too."""
QUICK_BYTES_MAX = 64 * 1024
"""A larger group is the thread's in any case."""
Tell = Callable[..., object]
Submitted = tuple[int, bytes | None, float]
"""The id of a call, its encoded transaction, and the highest `_creationTime` in that."""


@dataclass(slots=True)
class Group:
    """Calls that become durable together. `row` is None if none of them wrote anything."""

    calls: list[int] = field(default_factory=list)
    transactions: list[bytes] = field(default_factory=list)
    max_creation_time: float = 0.0
    row: LogRow | None = None


class CommitOutcomes(Protocol):
    """What the committer tells its owner; all of it through `call_soon`."""

    def committed(self, group: Group, /) -> None:
        """The group is durable."""
        ...

    def full(self, calls: list[int], error: StoreFull, /) -> None:
        """These calls are surely not durable, nor will any later one be until `resume` and `available`."""
        ...

    def available(self) -> None:
        """Appending works again."""
        ...

    def unknown(self, error: BaseException, /) -> None:
        """Whether the last group is durable is not known.

        Answer nobody and exit; the committer has stopped.
        """
        ...


class GroupCommitter:
    """Takes transactions from the event loop, appends them in a thread of its own.

    `start` the thread, or call `run_once` where everything happens in one thread.
    """

    def __init__(
        self,
        log: LogStore,
        outcomes: CommitOutcomes,
        *,
        seq: int,
        ts: int,
        max_creation_time: float,
        clock: Clock,
        call_soon: Tell,
        group_bytes_max: int = Knobs().group_bytes_max,
        probe_interval_s: float = PROBE_INTERVAL_S,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._log = log
        self._outcomes = outcomes
        self._seq = seq
        self._ts = ts
        self._max_creation_time = max_creation_time
        self._clock = clock
        self._call_soon = call_soon
        self._group_bytes_max = group_bytes_max
        self._probe_interval_s = probe_interval_s
        self._queue: deque[Submitted] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._error: StoreFull | None = None
        self._resuming = False
        self._dead = False
        self._working = False
        """Whether the thread, or the event loop, is committing now."""
        self._told = self._heard = 0
        """How often the thread has told something, and how much of that has arrived."""
        self._quick_appends = 0
        self._now_s = now_s
        self._trim_before = 0
        self._sizes = deque(log.sizes())
        self._bytes = sum(size for _, size in self._sizes)
        self._uncompacted_bytes = 0
        self._thread: threading.Thread | None = None

    # From the event loop

    def submit(self, call_id: int, transaction: bytes | None, max_creation_time: float = 0.0) -> None:
        """Add a call to the open group; None if it wrote nothing: it is answered with those before it."""
        self.submit_all([(call_id, transaction, max_creation_time)])

    def submit_all(self, calls: Iterable[Submitted]) -> None:
        """Add calls to the open group; where the disk is quick they are committed, and that is told, before this returns."""
        with self._changed:
            self._queue.extend(calls)
            if not self._is_quick():
                self._changed.notify()
                return
            self._working = True
        told: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

        def tell(callback: Callable[..., None], *arguments: Any) -> None:
            told.append((callback, arguments))

        try:
            self._run_group(tell)
        finally:
            with self._changed:
                self._working = False
                if self._has_work():
                    self._changed.notify()
        for callback, arguments in told:
            callback(*arguments)

    def _is_quick(self) -> bool:
        return (
            self._log.is_local
            and self._quick_appends >= QUICK_APPENDS
            and self._thread is not None
            and self._told == self._heard  # else this group would be told of before those of the thread
            and not (self._working or self._dead or self._stopping or self._error is not None)
            and sum(len(transaction or b"") for _, transaction, _ in self._queue) <= QUICK_BYTES_MAX
        )

    def resume(self) -> None:
        """After `full`.

        The executor is back at the last durable row, so try whether appending works again.
        """
        with self._changed:
            self._resuming = self._error is not None
            self._changed.notify()

    def raise_ts(self, ts: int) -> None:
        """Let the next row's `ts` be above this one, which a client has seen elsewhere."""
        with self._changed:
            self._ts = max(self._ts, ts)

    def trim(self, covered: int, *, rows_kept: int, bytes_kept: int, after_ts: int) -> None:
        """Delete old rows of what the checkpoint covers, which is up to row `covered`.

        So many rows, and those after timestamp `after_ts`, are kept, as long as they have no more than `bytes_kept` bytes.
        It happens in small slices between groups.
        """
        with self._changed:
            first = self._seq - len(self._sizes) + 1
            while (
                len(self._sizes) > 1
                and first <= covered
                and (
                    (first < covered - rows_kept and self._sizes[0][0] <= after_ts)
                    or self._bytes > bytes_kept
                )
            ):
                self._bytes -= self._sizes.popleft()[1]
                first += 1
            self._trim_before = max(self._trim_before, first)
            self._changed.notify()

    def start(self) -> None:
        """Start the thread."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread = threading.Thread(target=self._run, name="convexpy-commit", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Commit what was submitted, then end the thread; may be called twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # The thread

    def _run(self) -> None:
        name_thread("commit")
        while True:
            with self._changed:
                self._working = False
                while self._working or not self._has_work():
                    if self._stopping or self._dead:
                        return
                    # While probing, time itself is a reason to go on.
                    probing = self._error is not None and self._resuming
                    if not self._changed.wait(self._probe_interval_s if probing else None) and probing:
                        break
                self._working = True
            self.run_once()

    def _has_work(self) -> bool:
        if self._dead:
            return False
        return bool(self._queue) or (self._error is None and (self._wants_trim() or self._wants_compaction()))

    def _wants_compaction(self) -> bool:
        return self._uncompacted_bytes >= COMPACT_AFTER_BYTES

    def _wants_trim(self) -> bool:
        first = self._log.first_seq if self._trim_before else None
        return first is not None and first < min(self._trim_before, self._seq)

    def run_once(self) -> bool:
        """Commit the next group, or do what else waits; True if there was a group."""
        if self._dead:
            return False
        had_calls = self._run_group(self._tell)
        try:
            self._maintain()
        except BaseException as error:  # noqa: BLE001 - as for a group
            self._die(error, self._tell)
        return had_calls

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        self._told += 1
        self._call_soon(self._hear, callback, arguments)

    def _hear(self, callback: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._heard += 1
        callback(*arguments)

    def _run_group(self, tell: Tell) -> bool:
        group = self._next_group()
        try:
            if self._error is not None:
                self._while_full(group, tell)
            elif group.calls:
                self._commit(group, tell)
        except BaseException as error:  # noqa: BLE001 - whatever failed, the outcome is unknown
            self._die(error, tell)
        return bool(group.calls)

    def _die(self, error: BaseException, tell: Tell) -> None:
        """Never sync again and call it good: the kernel may have dropped the pages."""
        self._dead = True
        tell(self._outcomes.unknown, error)

    def _next_group(self) -> Group:
        """Close the group: what waits, up to the size bound, at least one call."""
        group = Group()
        size = 0
        with self._changed:
            while self._queue:
                call_id, transaction, creation_time = self._queue[0]
                size += len(transaction) if transaction is not None else 0
                if group.calls and size > self._group_bytes_max:
                    break
                self._queue.popleft()
                group.calls.append(call_id)
                if transaction is not None:
                    group.transactions.append(transaction)
                    group.max_creation_time = max(group.max_creation_time, creation_time)
        return group

    def _commit(self, group: Group, tell: Tell) -> None:
        """Append one row: `seq` is the next, `ts` grows by at least one; one INSERT, one sync."""
        if group.transactions:
            highest = max(self._max_creation_time, group.max_creation_time)
            entry = encode_entry(group.transactions, max_creation_time=highest)
            with self._changed:
                ts = max(self._clock.now_ns(), self._ts + 1)
            pauses.reach("committer.before_append")
            began_s = self._now_s()
            try:
                self._log.append(self._seq + 1, ts, entry)
            except StoreFull as error:
                # The row is not there. All that waits was run on top of it.
                self._error, self._resuming = error, False
                self._while_full(group, tell)
                return
            self._quick_appends = self._quick_appends + 1 if self._now_s() - began_s < QUICK_S else 0
            pauses.reach("committer.after_append")
            self._max_creation_time = highest
            with self._changed:
                self._seq += 1
                self._ts = max(self._ts, ts)
                self._sizes.append((ts, len(entry)))
                self._bytes += len(entry)
            self._uncompacted_bytes += len(entry) + ROW_OVERHEAD_BYTES
            group.row = LogRow(self._seq, ts, entry)
        tell(self._outcomes.committed, group)

    def _while_full(self, group: Group, tell: Tell) -> None:
        """Refuse what was submitted; once the owner has resumed, find out whether appending works again."""
        assert self._error is not None  # checked by the caller
        if group.calls:
            tell(self._outcomes.full, group.calls, self._error)
        if self._resuming:
            try:
                self._log.probe()
            except StoreFull as error:
                self._error = error
            else:
                self._error, self._resuming = None, False
                tell(self._outcomes.available)

    def _maintain(self) -> None:
        """Between groups: compact the log when it has grown, trim a slice of old rows."""
        if self._error is not None or self._dead:
            return
        try:
            if self._wants_compaction():
                self._uncompacted_bytes = 0
                self._log.compact()
            if self._wants_trim():
                self._log.trim(min(self._trim_before, self._seq), TRIM_SLICE_ROWS)
        except StoreFull:
            # No row is lost by it: folding waits until it has grown as much again, trimming until it is asked for again.
            self._trim_before = 0

    @property
    def is_dead(self) -> bool:
        """The outcome of a group is unknown: nothing more will be committed."""
        return self._dead

    def __repr__(self) -> str:
        return f"<GroupCommitter at row {self._seq}{', dead' if self._dead else ''}>"
