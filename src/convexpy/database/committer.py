"""The commit thread: it alone appends to the log.

A group is what was submitted while the previous one was being synced: one row, one sync for many mutations.
Outcomes go back through `call_soon` (an event loop's `call_soon_threadsafe`), one callback per group, in
the order of the groups.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
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
        call_soon: Callable[..., object],
        group_bytes_max: int = Knobs().group_bytes_max,
        probe_interval_s: float = PROBE_INTERVAL_S,
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
        self._queue: deque[tuple[int, bytes | None, float]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._error: StoreFull | None = None
        self._resuming = False
        self._dead = False
        self._trim_before = 0
        self._sizes = deque(log.sizes())
        self._bytes = sum(size for _, size in self._sizes)
        self._uncompacted_bytes = 0
        self._thread: threading.Thread | None = None

    # From the event loop

    def submit(self, call_id: int, transaction: bytes | None, max_creation_time: float = 0.0) -> None:
        """Add a call to the open group; None if it wrote nothing: it is answered with those before it."""
        with self._changed:
            if not self._queue:  # otherwise the thread has been notified
                self._changed.notify()
            self._queue.append((call_id, transaction, max_creation_time))

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
                while not self._has_work():
                    if self._stopping or self._dead:
                        return
                    # While probing, time itself is a reason to go on.
                    probing = self._error is not None and self._resuming
                    if not self._changed.wait(self._probe_interval_s if probing else None) and probing:
                        break
            self.run_once()

    def _has_work(self) -> bool:
        if self._dead:
            return False
        return bool(self._queue) or (self._error is None and self._wants_trim())

    def _wants_trim(self) -> bool:
        first = self._log.first_seq if self._trim_before else None
        return first is not None and first < min(self._trim_before, self._seq)

    def run_once(self) -> bool:
        """Commit the next group, or do what else waits; True if there was a group."""
        if self._dead:
            return False
        group = self._next_group()
        try:
            if self._error is not None:
                self._while_full(group)
            elif group.calls:
                self._commit(group)
            self._maintain()
        except BaseException as error:  # noqa: BLE001 - whatever failed, the outcome is unknown
            # Never sync again and call it good: the kernel may have dropped the pages.
            self._dead = True
            self._tell(self._outcomes.unknown, error)
        return bool(group.calls)

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

    def _commit(self, group: Group) -> None:
        """Append one row: `seq` is the next, `ts` grows by at least one; one INSERT, one sync."""
        if group.transactions:
            highest = max(self._max_creation_time, group.max_creation_time)
            entry = encode_entry(group.transactions, max_creation_time=highest)
            with self._changed:
                ts = max(self._clock.now_ns(), self._ts + 1)
            pauses.reach("committer.before_append")
            try:
                self._log.append(self._seq + 1, ts, entry)
            except StoreFull as error:
                # The row is not there. All that waits was run on top of it.
                self._error, self._resuming = error, False
                self._while_full(group)
                return
            pauses.reach("committer.after_append")
            self._max_creation_time = highest
            with self._changed:
                self._seq += 1
                self._ts = max(self._ts, ts)
                self._sizes.append((ts, len(entry)))
                self._bytes += len(entry)
            self._uncompacted_bytes += len(entry) + ROW_OVERHEAD_BYTES
            group.row = LogRow(self._seq, ts, entry)
        self._tell(self._outcomes.committed, group)

    def _while_full(self, group: Group) -> None:
        """Refuse what was submitted; once the owner has resumed, find out whether appending works again."""
        assert self._error is not None  # checked by the caller
        if group.calls:
            self._tell(self._outcomes.full, group.calls, self._error)
        if self._resuming:
            try:
                self._log.probe()
            except StoreFull as error:
                self._error = error
            else:
                self._error, self._resuming = None, False
                self._tell(self._outcomes.available)

    def _maintain(self) -> None:
        """Between groups: compact the log when it has grown, trim a slice of old rows."""
        if self._error is not None:
            return
        try:
            if self._uncompacted_bytes >= COMPACT_AFTER_BYTES:
                self._uncompacted_bytes = 0
                self._log.compact()
            if self._wants_trim():
                self._log.trim(min(self._trim_before, self._seq), TRIM_SLICE_ROWS)
        except StoreFull:
            # No row is lost by it: folding waits until it has grown as much again, trimming until it is asked for again.
            self._trim_before = 0

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        self._call_soon(callback, *arguments)

    @property
    def is_dead(self) -> bool:
        """The outcome of a group is unknown: nothing more will be committed."""
        return self._dead

    def __repr__(self) -> str:
        return f"<GroupCommitter at row {self._seq}{', dead' if self._dead else ''}>"
