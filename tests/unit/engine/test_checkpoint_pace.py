"""When a checkpoint begins: after a pause, at size, and at last by age, but not while others write."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.timeline import LogTimeline
from convexpy.limits import Knobs
from convexpy.persistence import LogRow
from convexpy.runtime import ManualClock


class Bench:
    """A service on an event loop whose time the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, knobs: Knobs) -> None:
        self.now_s = 1000.0
        self.begun: list[float] = []
        self.timeline = LogTimeline([], 0, 0, 0)
        nothing = cast("Any", None)
        self.service = CheckpointService(nothing, self.timeline, knobs, ManualClock(), moved=lambda seq: None)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now_s)
        monkeypatch.setattr(self.service, "_begin", lambda: self.begun.append(self.now_s))

    def commit(self, size: int = 10) -> None:
        seq = self.timeline.row + 1
        self.service.row(self.timeline.append(LogRow(seq, seq, bytes(size)), []))

    def look(self) -> None:
        """Do what the timer does when it is due."""
        timer = self.service._timer
        assert timer is not None
        timer.cancel()
        self.now_s = max(self.now_s, timer.when())
        self.service._look()


def run(monkeypatch: pytest.MonkeyPatch, case: Any, **knobs: Any) -> None:
    async def inside() -> None:
        case(Bench(monkeypatch, Knobs(**knobs)))

    asyncio.run(inside())


def test_a_pause_begins_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def case(bench: Bench) -> None:
        bench.commit()
        bench.look()
        assert bench.begun == [1002.0]

    run(monkeypatch, case)


def test_load_puts_it_off_until_it_is_of_age(monkeypatch: pytest.MonkeyPatch) -> None:
    def case(bench: Bench) -> None:
        for _ in range(600):
            bench.commit()
            bench.now_s += 0.1
            timer = bench.service._timer
            if timer is not None and timer.when() <= bench.now_s:
                bench.look()
            if bench.begun:
                break
        assert bench.begun == [pytest.approx(1030.0, abs=0.2)]

    run(monkeypatch, case)


def test_size_begins_one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def case(bench: Bench) -> None:
        bench.commit(400)
        bench.commit(400)
        assert bench.begun == []
        bench.commit(400)
        assert bench.begun == [1000.0]

    run(monkeypatch, case, tail_checkpoint_bytes=1000)
