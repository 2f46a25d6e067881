"""A known result is given only where the query would return the same."""

from __future__ import annotations

import msgspec
import pytest

from convexpy.database import TransactionRecord
from convexpy.database._entries import Write, encode_write_set
from convexpy.engine.outcome import Outcome, failed
from convexpy.engine.query_cache import LIFE_S, QueryCache
from convexpy.engine.timeline import RECENT_ROWS, LogTimeline
from convexpy.persistence import LogRow
from convexpy.protocol.frames import Result, ended_action

READS: list[tuple[int, bytes, bytes | None]] = [(7, b"b", b"d")]


class Bench:
    """A cache over a log, with time in the test's hands."""

    def __init__(self, bytes_max: int = 100_000) -> None:
        self.now_s = 100.0
        self.timeline = LogTimeline([], 0, 0, 0)
        self.cache = QueryCache(self.timeline, bytes_max=bytes_max, now_s=lambda: self.now_s)

    def commit(self, key: bytes) -> None:
        seq = self.timeline.row + 1
        write = Write(5, "id", b"{}", [(7, key, key)])
        record = TransactionRecord("op", "f", [write], None)
        encoded = encode_write_set(record, max_creation_time=0.0).encoded
        self.timeline.append(LogRow(seq, seq * 10, b""), [encoded])

    def keep(self, value: bytes = b"1", *, path: str = "f", claims: bytes = b"", **flags: bool) -> None:
        for _ in range(2):
            self.cache.keep(
                path, b"{}", claims, Outcome(value, row=self.timeline.row, result=result(**flags))
            )

    def find(self, *, path: str = "f", claims: bytes = b"") -> bytes | None:
        found = self.cache.find(path, b"{}", claims)
        if found is not None:
            assert found.cached
            assert (found.row, found.ts) == (self.timeline.row, self.timeline.ts)
        return None if found is None else found.value


def result(**flags: bool) -> Result:
    return msgspec.structs.replace(ended_action(1, b"1", None), reads=READS, **flags)


def test_a_result_is_given_until_a_commit_touches_what_was_read() -> None:
    bench = Bench()
    bench.commit(b"c")
    bench.keep()
    assert bench.find() == b"1"
    bench.commit(b"a")
    bench.commit(b"d")
    assert bench.find() == b"1"
    bench.commit(b"c")
    assert bench.find() is None
    bench.keep(b"2")
    assert bench.find() == b"2"


def test_a_result_is_not_given_when_later_commits_are_no_longer_known() -> None:
    bench = Bench()
    bench.commit(b"a")
    bench.keep()
    for _ in range(2 * RECENT_ROWS + 2):
        bench.commit(b"a")
    bench.timeline.forget_old()
    assert bench.find() is None


def test_a_result_lives_for_a_second() -> None:
    bench = Bench()
    bench.keep()
    bench.now_s += LIFE_S
    assert bench.find() == b"1"
    bench.now_s += 0.1
    assert bench.find() is None


def test_a_result_that_depends_on_the_caller_is_theirs_alone() -> None:
    bench = Bench()
    bench.keep(b"for ada", claims=b"ada", reads_identity=True)
    assert bench.find(claims=b"ada") == b"for ada"
    assert bench.find(claims=b"bob") is None
    assert bench.find() is None
    bench.keep(b"for all", claims=b"ada", path="g")
    assert bench.find(claims=b"bob", path="g") == b"for all"


def test_a_result_is_kept_when_its_query_has_run_before() -> None:
    bench = Bench()
    outcome = Outcome(b"1", row=bench.timeline.row, result=result())
    bench.cache.keep("f", b"{}", b"", outcome)
    assert bench.find() is None
    bench.cache.keep("f", b"{}", b"", outcome)
    assert bench.find() == b"1"


def test_what_depends_on_the_call_or_read_nothing_or_failed_is_not_kept() -> None:
    bench = Bench()
    bench.keep(reads_call=True)
    assert bench.find() is None
    for _ in range(2):
        bench.cache.keep("f", b"{}", b"", Outcome(b"1", row=0, result=ended_action(1, b"1", None)))
    assert bench.find() is None
    failure = failed("Error", "no")
    failure.result = result()
    for _ in range(2):
        bench.cache.keep("f", b"{}", b"", failure)
    assert bench.find() is None


def test_nothing_is_known_after_a_clear() -> None:
    bench = Bench()
    bench.keep()
    bench.cache.clear()
    assert bench.find() is None


@pytest.mark.parametrize(("bytes_max", "kept"), [(0, 0), (10_000, 9)])
def test_it_is_bounded(bytes_max: int, kept: int) -> None:
    bench = Bench(bytes_max)
    for number in range(100):
        bench.keep(path=f"f{number}")
    found = [number for number in range(100) if bench.find(path=f"f{number}") is not None]
    assert found == list(range(100 - kept, 100))
