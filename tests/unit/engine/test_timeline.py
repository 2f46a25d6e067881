"""The server's view of the log: what is remembered of rows, and for how long."""

from __future__ import annotations

import tracemalloc

import pytest

from convexpy.database import WHOLE_INDEX
from convexpy.engine.timeline import RECENT_ROWS, UNPACKED_ROWS, LogTimeline, Reads
from convexpy.persistence import LogRow


def test_what_the_checkpoint_holds_is_not_kept_in_memory() -> None:
    timeline = LogTimeline([], 0, 0, 0)
    tracemalloc.start()
    try:
        for seq in range(1, 101):
            timeline.append(LogRow(seq, seq, bytes(2**18)), [])
        held, _ = tracemalloc.get_traced_memory()
        timeline.checkpointed(100)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held > 100 * 2**18
    assert left < 2**20
    assert timeline.tail_bytes == 0


def test_keys_of_old_rows_are_forgotten_when_no_call_is_older() -> None:
    timeline = LogTimeline([], 0, 0, 0)
    seen = []
    for seq in range(1, 3 * RECENT_ROWS):
        timeline.append(LogRow(seq, seq * 10, b""), [])
        if timeline.crowded:
            timeline.forget_old()
            seen.append(seq)
    assert seen == [2 * RECENT_ROWS + 1]
    assert timeline.unchanged_since((seen[0] - RECENT_ROWS + 1) * 10, [])
    assert not timeline.unchanged_since(10, [])


def test_older_rows_are_remembered_as_well_as_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexpy.engine.timeline.written_keys", lambda blob: [(7, blob), (8, b"x" + blob)])
    timeline = LogTimeline([], 0, 0, 0)
    for seq in range(1, 3 * UNPACKED_ROWS):
        timeline.append(LogRow(seq, seq, b""), [b"%03d" % seq])
    assert [len(row.keys) for row in timeline.tail] == [0] * (3 * UNPACKED_ROWS - 2) + [2]
    for seq in range(1, 3 * UNPACKED_ROWS):
        key = b"%03d" % seq
        assert timeline.touched_since(seq - 1, [(7, key, key + b"\0")])
        assert not timeline.touched_since(seq, [(7, key, key + b"\0")])
        assert timeline.untouched_since(seq, [(8, b"x" + key, b"x" + key + b"\0")])


def test_a_key_is_found_in_overlapping_ranges_of_its_index() -> None:
    reads = Reads([(1, b"c", b"e"), (2, b"a", None), (1, b"a", b"m"), (1, b"p", b"q")])
    for index, key, touched in (
        (1, b"a", True), (1, b"f", True), (1, b"m", False), (1, b"p", True), (1, b"q", False),
        (2, b"z", True), (3, b"a", False), (1, WHOLE_INDEX, True), (3, WHOLE_INDEX, False),
    ):  # fmt: skip
        assert reads.touched_by([(index, key)]) is touched, (index, key)


def test_nothing_is_forgotten_that_a_call_of_any_dispatcher_needs() -> None:
    timeline = LogTimeline([], 0, 0, 0)
    oldest = {"queries": 10**9, "slow mutations": 5}
    for name in oldest:
        timeline.keep_for(lambda name=name: oldest[name])  # type: ignore[misc]
    for seq in range(1, 3 * RECENT_ROWS):
        timeline.append(LogRow(seq, seq, b""), [])
    timeline.forget_old()
    assert timeline.untouched_since(5, [])
    assert not timeline.untouched_since(4, [])
    oldest["slow mutations"] = 10**9
    timeline.forget_old()
    assert not timeline.untouched_since(5, [])
