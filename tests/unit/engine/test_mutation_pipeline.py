"""The mutation pipeline alone: order, durability, lost executors and a full disk, with a log in memory and no process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.scripted_executor import ScriptedExecutor

from convexpy.database import CommitOutcomes, GroupCommitter
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Outcome
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.limits import Knobs
from convexpy.persistence import MemoryFiles
from convexpy.protocol.call_marker import Running
from convexpy.protocol.frames import Call, CallFailure, DropSpeculation, OwnCommit
from convexpy.runtime import ManualClock

BAD = CallFailure("ConvexError", "Uncaught ConvexError: no")


class World:
    """A pipeline over a log in memory. The commit thread's work is done by `commit`."""

    def __init__(self, capacity_rows: int | None = None) -> None:
        self.files = MemoryFiles(capacity_rows=capacity_rows)
        self.needed = 0
        self.commits: list[TailRow] = []
        self.ended: dict[int, Outcome] = {}
        self.order: list[int] = []
        self.callbacks: list[Callable[[], None]] = []
        self.executor = ScriptedExecutor()
        self.pipeline = MutationPipeline(
            LogTimeline([], 0, 0, 0),
            Knobs(),
            open_committer=self._open_committer,
            committed=self.commits.append,
            on_schema_violations=lambda found: None,
            on_fatal=self._fatal,
            need_executor=self._need,
        )
        self.pipeline.attach(self.executor)

    def _open_committer(self, outcomes: CommitOutcomes) -> GroupCommitter:
        return GroupCommitter(
            self.files.log, outcomes, seq=0, ts=0, max_creation_time=0.0, clock=ManualClock(), call_soon=self._soon,
            probe_interval_s=0.0,
        )  # fmt: skip

    def _soon(self, callback: Callable[..., object], *arguments: object) -> None:
        callback(*arguments)

    def _fatal(self, error: BaseException) -> None:
        raise AssertionError("fatal") from error

    def _need(self) -> None:
        self.needed += 1

    def submit(self, *numbers: int) -> None:
        for number in numbers:
            call = Call(number, "mutation", "app:f", b"{}", f"r{number}", 0)
            self.pipeline.submit(call, lambda outcome, number=number: self._end(number, outcome))  # type: ignore[misc]

    def _end(self, number: int, outcome: Outcome) -> None:
        self.order.append(number)
        self.ended[number] = outcome

    async def commit(self) -> None:
        await asyncio.sleep(0)  # what one turn of the loop has gathered is submitted at its end
        while self.pipeline.committer.run_once():
            pass


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an event loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_loop
async def test_a_reply_waits_until_its_commit_is_durable() -> None:
    world = World()
    world.submit(1)
    world.executor.answer(1, writes=True)
    assert world.ended == {}
    await world.commit()
    assert world.ended[1].row == 1
    assert [row.seq for row in world.commits] == [1]
    assert world.executor.frames[-1] == OwnCommit(1, world.ended[1].ts, 1)


@on_loop
async def test_a_failure_waits_for_the_commit_that_it_saw() -> None:
    world = World()
    world.submit(1, 2)
    world.executor.answer(1, writes=True)
    world.executor.answer(2, failure=BAD)
    assert world.ended == {}
    await world.commit()
    assert world.order == [1, 2]
    assert world.ended[2].failure == BAD


@on_loop
async def test_what_wrote_nothing_is_answered_at_once() -> None:
    world = World()
    world.submit(1)
    world.executor.answer(1)
    assert world.order == [1]
    assert world.commits == []


@on_loop
async def test_calls_of_one_turn_are_one_commit() -> None:
    world = World()
    world.submit(1, 2, 3)
    for number in (1, 2, 3):
        world.executor.answer(number, writes=True)
    await world.commit()
    assert world.order == [1, 2, 3]
    assert [row.seq for row in world.commits] == [1]


@on_loop
async def test_the_call_that_ended_its_executor_fails_and_the_others_run_again() -> None:
    world = World()
    world.submit(1, 2, 3)
    world.executor.on_lost("killed by signal 9 (SIGKILL), out of memory", 2)
    assert world.needed == 1
    failure = world.ended[2].failure
    assert failure is not None
    assert (failure.code, failure.lost) == ("ExecutorLost", True)
    replacement = ScriptedExecutor(2)
    world.pipeline.attach(replacement)
    assert [call.id for call in replacement.calls] == [1, 3]


@on_loop
async def test_a_replacement_is_given_what_was_accepted_and_is_not_durable_yet() -> None:
    world = World()
    world.submit(1, 2)
    world.executor.answer(1, writes=True)
    world.executor.on_lost("ended", 0)
    replacement = ScriptedExecutor(2)
    world.pipeline.attach(replacement)
    await world.commit()
    replacement.answer(2)
    assert world.order == [1, 2]
    assert world.ended[1].failure is None


@on_loop
async def test_a_full_disk_is_not_committed_and_later_calls_succeed() -> None:
    world = World(capacity_rows=1)
    world.submit(1)
    world.executor.answer(1, writes=True)
    await world.commit()
    world.submit(2)
    world.executor.answer(2, writes=True)
    await world.commit()
    failure = world.ended[2].failure
    assert failure is not None
    assert failure.code == "NotCommitted"
    (dropped,) = [frame for frame in world.executor.frames if isinstance(frame, DropSpeculation)]
    world.submit(3)
    refused = world.ended[3].failure
    assert refused is not None
    assert refused.code == "NotCommitted"
    world.files.capacity_rows = None
    world.pipeline.committer.run_once()
    world.submit(4)
    world.executor.answer(4, writes=True, epoch=dropped.epoch)
    await world.commit()
    assert world.ended[4].failure is None


@on_loop
async def test_a_closed_gate_holds_new_calls_and_tells_when_the_others_have_ended() -> None:
    world = World()
    world.submit(1)
    idle: list[bool] = []
    world.pipeline.close_gate(lambda: idle.append(True))
    world.submit(2)
    assert [call.id for call in world.executor.calls] == [1]
    assert idle == []
    world.executor.answer(1)
    assert idle == [True]
    world.pipeline.open_gate()
    assert [call.id for call in world.executor.calls] == [1, 2]


@on_loop
async def test_a_function_that_ends_executors_is_refused_for_a_while() -> None:
    world = World()
    for number in (1, 2, 3):
        world.submit(number)
        slot = ScriptedExecutor(number + 1)
        world.executor.now_running = Running(number, 0, 0)
        world.executor.on_lost("killed by signal 9 (SIGKILL)", number)
        world.executor = slot
        world.pipeline.attach(slot)
    world.submit(9)
    failure = world.ended[9].failure
    assert failure is not None
    assert failure.code == "FunctionRefused"
    assert "app:f ended 3 executors" in failure.detail


@pytest.mark.parametrize("seen_ts", [5, 10**18])
def test_commits_are_later_than_what_a_client_has_seen(seen_ts: int) -> None:
    async def run() -> None:
        world = World()
        world.pipeline.raise_ts(seen_ts)
        world.submit(1)
        world.executor.answer(1, writes=True)
        await world.commit()
        assert world.ended[1].ts > seen_ts

    asyncio.run(run())
