"""Group commit: groups, outcomes, who commits, a full disk, an unknown outcome."""

from __future__ import annotations

import itertools
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import wait_for

from convexpy.database import Group, GroupCommitter, decode_entry
from convexpy.database._entries import TransactionRecord, encode_write_set
from convexpy.database.committer import QUICK_APPENDS, QUICK_BYTES_MAX, QUICK_S
from convexpy.persistence import MemoryFiles, OutcomeUnknown, StoreFull
from convexpy.persistence.memory import MemoryLogStore
from convexpy.runtime import ManualClock, pauses

TRANSACTION = encode_write_set(TransactionRecord("op", "f", [], None), max_creation_time=0.0).encoded
DEADLINE_S = 20


class Outcomes:
    """What was told, in order, to be waited for."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.here: list[int] = []

    def committed(self, group: Group) -> None:
        if threading.current_thread() is threading.main_thread():
            self.here += group.calls
        self.told.put(("committed", group))

    def full(self, calls: list[int], error: StoreFull) -> None:
        self.told.put(("full", calls))

    def available(self) -> None:
        self.told.put(("available", None))

    def unknown(self, error: BaseException) -> None:
        self.told.put(("unknown", error))

    def next(self) -> tuple[str, Any]:
        return self.told.get(timeout=DEADLINE_S)


def directly(callback: Callable[..., None], *arguments: Any) -> None:
    callback(*arguments)


class Setup:
    def __init__(self) -> None:
        self.files = MemoryFiles()
        self.log = self.files.log
        self.outcomes = Outcomes()
        self.clock = ManualClock(1000)
        self.append_s = self.now_s = 0.0
        self.call_soon: Callable[..., None] = directly
        self.committer = GroupCommitter(
            self.log,
            self.outcomes,
            seq=0,
            ts=5000,
            max_creation_time=7.0,
            clock=self.clock,
            call_soon=lambda *call: self.call_soon(*call),
            group_bytes_max=10 * len(TRANSACTION),
            probe_interval_s=0.01,
            now_s=self._look_at_the_clock,
        )

    def _look_at_the_clock(self) -> float:
        self.now_s += self.append_s
        return self.now_s

    def commit(self, call: int, transaction: bytes = TRANSACTION) -> bool:
        """Commit a call; return whether that was done in this thread."""
        self.committer.submit(call, transaction)
        assert self.outcomes.next()[1].calls == [call]
        return call in self.outcomes.here

    def become_quick(self) -> None:
        """Commit until that is done in this thread."""
        self.committer.start()
        calls = itertools.count(1000)
        assert not any(self.commit(next(calls)) for _ in range(QUICK_APPENDS))
        wait_for(lambda: self.commit(next(calls)), what="a commit in the thread that submitted it")


@pytest.fixture
def setup() -> Iterator[Setup]:
    interval = sys.getswitchinterval()
    made = Setup()
    yield made
    made.committer.stop()
    sys.setswitchinterval(interval)


def test_what_waits_becomes_one_row(setup: Setup) -> None:
    for call, time in ((1, 5.0), (2, 9.0), (3, 8.0)):
        setup.committer.submit(call, TRANSACTION, time)
    setup.committer.submit(4, None)
    assert setup.committer.run_once()
    kind, group = setup.outcomes.next()
    assert (kind, group.calls, len(group.transactions)) == ("committed", [1, 2, 3, 4], 3)
    (row,) = setup.log.rows(0)
    assert group.row == row
    assert (row.seq, row.ts) == (1, 5001)
    entry = decode_entry(row.entry)
    assert (entry.max_creation_time, len(entry.transactions), len(entry.group_id)) == (9.0, 3, 16)
    assert not setup.committer.run_once()


def test_ts_follows_the_clock_but_always_grows(setup: Setup) -> None:
    def commit() -> int:
        setup.committer.submit(1, TRANSACTION)
        setup.committer.run_once()
        return int(setup.outcomes.next()[1].row.ts)

    assert commit() == 5001
    assert commit() == 5002
    setup.clock.advance(1)
    assert commit() == 1_000_001_000
    setup.committer.raise_ts(2_000_000_000)
    assert commit() == 2_000_000_001
    assert decode_entry(setup.log.rows(0)[-1].entry).max_creation_time == 7.0


def test_calls_that_wrote_nothing_make_no_row(setup: Setup) -> None:
    setup.committer.submit(1, None)
    setup.committer.run_once()
    kind, group = setup.outcomes.next()
    assert (kind, group.calls, group.row, setup.log.rows(0)) == ("committed", [1], None, [])


def test_a_group_has_a_bound_but_at_least_one_call(setup: Setup) -> None:
    big = TRANSACTION + b"\0" * 20 * len(TRANSACTION)
    for call in range(25):
        setup.committer.submit(call, big if call == 24 else TRANSACTION)
    sizes = []
    while setup.committer.run_once():
        sizes.append(len(setup.outcomes.next()[1].calls))
    assert sizes == [10, 10, 4, 1]


def test_the_thread_commits_in_order_and_finishes_when_stopped(setup: Setup) -> None:
    setup.committer.start()
    for call in range(300):
        setup.committer.submit(call, TRANSACTION)
    setup.committer.stop()
    setup.committer.stop()
    calls: list[int] = []
    while not setup.outcomes.told.empty():
        kind, group = setup.outcomes.next()
        assert kind == "committed"
        calls += group.calls
    assert calls == list(range(300))
    assert [row.seq for row in setup.log.rows(0)] == list(range(1, len(setup.log.rows(0)) + 1))


def test_calls_gather_while_a_group_is_synced(setup: Setup) -> None:
    reached, go = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert go.wait(DEADLINE_S)

    pauses.set("committer.before_append", wait)
    try:
        setup.committer.start()
        setup.committer.submit(0, TRANSACTION)
        assert reached.wait(DEADLINE_S)
        for call in range(1, 6):
            setup.committer.submit(call, TRANSACTION)
        go.set()
        assert setup.outcomes.next()[1].calls == [0]
        assert setup.outcomes.next()[1].calls == [1, 2, 3, 4, 5]
    finally:
        pauses.set("committer.before_append", None)


def test_where_the_disk_is_quick_a_small_group_is_committed_where_it_is_submitted(setup: Setup) -> None:
    setup.become_quick()
    assert setup.commit(1)
    assert not setup.commit(2, TRANSACTION + b"\0" * QUICK_BYTES_MAX)
    rows = setup.log.rows(0)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))


def test_one_slow_append_gives_the_next_ones_back_to_the_thread(setup: Setup) -> None:
    setup.become_quick()
    setup.append_s = 2 * QUICK_S
    assert setup.commit(1)
    setup.append_s = 0.0
    assert not any(setup.commit(call) for call in range(2, 2 + QUICK_APPENDS))
    setup.append_s = 2 * QUICK_S
    setup.commit(999)
    assert not any(setup.commit(call) for call in range(5000, 5000 + 2 * QUICK_APPENDS))


def test_what_the_thread_has_committed_is_told_first(setup: Setup) -> None:
    setup.become_quick()
    told: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.Queue()
    setup.call_soon = lambda callback, *arguments: told.put((callback, arguments))
    setup.committer.submit(1, TRANSACTION + b"\0" * QUICK_BYTES_MAX)
    callback, arguments = told.get(timeout=DEADLINE_S)
    setup.committer.submit(2, TRANSACTION)
    assert setup.outcomes.told.empty()
    callback(*arguments)
    callback, arguments = told.get(timeout=DEADLINE_S)
    callback(*arguments)
    assert [setup.outcomes.next()[1].calls for _ in range(2)] == [[1], [2]]


def test_a_disk_that_is_full_is_told_of_from_either_thread(setup: Setup) -> None:
    setup.become_quick()
    setup.files.capacity_rows = len(setup.log.rows(0))
    setup.committer.submit(1, TRANSACTION)
    assert setup.outcomes.next() == ("full", [1])
    setup.committer.resume()
    setup.files.capacity_rows = None
    assert setup.outcomes.next() == ("available", None)
    setup.commit(2)


def test_a_full_disk_refuses_everything_until_the_owner_resumed_and_a_probe_worked(setup: Setup) -> None:
    setup.committer.start()
    setup.committer.resume()
    setup.committer.submit(1, TRANSACTION)
    assert setup.outcomes.next()[0] == "committed"
    setup.files.capacity_rows = 1
    setup.committer.submit(2, TRANSACTION)
    assert setup.outcomes.next() == ("full", [2])
    setup.files.capacity_rows = None
    setup.committer.submit(3, TRANSACTION)
    assert setup.outcomes.next() == ("full", [3])  # run on top of 2: it must not become durable
    setup.files.capacity_rows = 1
    setup.committer.resume()
    setup.committer.submit(4, TRANSACTION)
    assert setup.outcomes.next() == ("full", [4])
    setup.files.capacity_rows = None
    assert setup.outcomes.next() == ("available", None)
    setup.committer.submit(5, TRANSACTION)
    kind, group = setup.outcomes.next()
    assert (kind, group.calls, group.row.seq) == ("committed", [5], 2)


@pytest.mark.parametrize("point", ["committer.before_append", "committer.after_append", "log"])
def test_after_an_unknown_outcome_nothing_is_committed_or_answered(setup: Setup, point: str) -> None:
    def fail() -> None:
        raise OutcomeUnknown("the sync failed")

    class Failing(MemoryLogStore):
        def append(self, seq: int, ts: int, entry: bytes) -> None:
            fail()

    if point == "log":
        setup.committer._log = Failing(setup.files)
    else:
        pauses.set(point, fail)
    try:
        setup.committer.start()
        setup.committer.submit(1, TRANSACTION)
        kind, error = setup.outcomes.next()
    finally:
        pauses.set(point, None)
    assert kind == "unknown"
    assert isinstance(error, OutcomeUnknown)
    assert setup.committer.is_dead
    setup.committer.submit(2, TRANSACTION)
    assert not setup.committer.run_once()
    setup.committer.stop()
    assert setup.outcomes.told.empty()
    assert len(setup.log.rows(0)) == (1 if point == "committer.after_append" else 0)


def test_old_rows_are_trimmed_between_groups(setup: Setup) -> None:
    for call in range(30):
        setup.committer.submit(call, TRANSACTION)
        setup.committer.run_once()
    setup.committer.trim(30, rows_kept=10, bytes_kept=1 << 30, after_ts=1 << 62)
    setup.committer.start()
    setup.committer.submit(99, TRANSACTION)
    setup.committer.stop()
    assert setup.log.first_seq == 20


@pytest.mark.parametrize(
    ("covered", "bytes_kept", "first"), [(30, 5, 26), (20, 5, 21), (30, 0, 30), (0, 0, 1), (30, 100, 1)]
)
def test_rows_are_trimmed_by_bytes_but_never_what_the_checkpoint_lacks(
    setup: Setup, covered: int, bytes_kept: int, first: int
) -> None:
    for call in range(30):
        setup.committer.submit(call, TRANSACTION)
        setup.committer.run_once()
    size = setup.log.sizes()[0][1]
    assert [each for _, each in setup.log.sizes()] == [size] * 30
    setup.committer.trim(covered, rows_kept=1000, bytes_kept=bytes_kept * size, after_ts=1 << 62)
    setup.committer.start()
    setup.committer.stop()
    assert setup.log.first_seq == first


def test_rows_of_the_last_minutes_are_kept_beyond_their_number(setup: Setup) -> None:
    for call in range(30):
        setup.committer.submit(call, TRANSACTION)
        setup.committer.run_once()
    ts = [each for each, _ in setup.log.sizes()]
    setup.committer.trim(30, rows_kept=2, bytes_kept=1 << 30, after_ts=ts[9])
    setup.committer.start()
    setup.committer.stop()
    assert setup.log.first_seq == 11
