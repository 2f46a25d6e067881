"""The server's view of the log: what is remembered of rows, and for how long."""

from __future__ import annotations

import tracemalloc

from convexpy.engine.timeline import RECENT_ROWS, LogTimeline
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
            timeline.forget_before(seq)
            seen.append(seq)
    assert seen == [2 * RECENT_ROWS + 1]
    assert timeline.unchanged_since((seen[0] - RECENT_ROWS + 1) * 10, [])
    assert not timeline.unchanged_since(10, [])
