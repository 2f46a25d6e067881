"""The mutation pipeline alone: order, durability, both lanes, lost executors and a full disk; no process, a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.scripted_executor import ScriptedExecutor

from convexpy.database import CommitOutcomes, GroupCommitter, TransactionRecord, Write
from convexpy.database._entries import encode_write_set
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Outcome
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.limits import SECOND_LANE_ATTEMPTS_MAX, Knobs
from convexpy.persistence import LogRow, MemoryFiles
from convexpy.protocol.call_marker import Running
from convexpy.protocol.frames import Accepted, Call, CallFailure, DropSpeculation, OwnCommit, Paused
from convexpy.runtime import ManualClock

BAD = CallFailure("ConvexError", "Uncaught ConvexError: no")


class World:
    """A pipeline over a log in memory. The commit thread's work is done by `commit`."""

    def __init__(self, capacity_rows: int | None = None) -> None:
        self.files = MemoryFiles(capacity_rows=capacity_rows)
        self.needed = self.lost_in_push = 0
        self.commits: list[TailRow] = []
        self.ended: dict[int, Outcome] = {}
        self.order: list[int] = []
        self.callbacks: list[Callable[[], None]] = []
        self.executor = ScriptedExecutor()
        self.timeline = LogTimeline([], 0, 0, 0)
        self.beside = ScriptedExecutor(100)
        self.second = QueryDispatcher(self.timeline, Knobs(), need_executor=self._need_second)
        self.pipeline = MutationPipeline(
            self.timeline,
            Knobs(),
            open_committer=self._open_committer,
            committed=self.commits.append,
            on_schema_violations=lambda found: None,
            on_fatal=self._fatal,
            need_executor=self._need,
            slow_mutations=self.second,
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

    def lane_lost(self) -> None:
        self.lost_in_push += 1

    def _need_second(self) -> None:
        if not self.second.executors:
            self.second.attach(self.beside)

    def submit(self, *numbers: int, path: str = "app:f", session: str = "") -> None:
        for number in numbers:
            call = Call(number, "mutation", path, b"{}", f"r{number}", 0, session=session, request=number)
            self.pipeline.submit(call, lambda outcome, number=number: self._end(number, outcome))  # type: ignore[misc]

    def _end(self, number: int, outcome: Outcome) -> None:
        self.order.append(number)
        self.ended[number] = outcome

    def learn(self, path: str = "app:slow") -> None:
        """Have a run of a function take long, with number 1000."""
        self.submit(1000, path=path)
        self.executor.answer(1000, seconds=0.5)
        self.order.clear()

    @property
    def in_first_lane(self) -> list[int]:
        return [call.id for call in self.executor.calls if call.id != 1000]

    @property
    def in_second_lane(self) -> list[int]:
        return [call.id for call in self.beside.calls]

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


# The second lane


@on_loop
async def test_what_has_taken_long_runs_beside_the_others() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    world.submit(2)
    assert (world.in_second_lane, world.in_first_lane) == ([1], [2])
    assert world.beside.calls[0].beside
    world.executor.answer(2, writes="x")
    await world.commit()
    assert world.order == [2]
    world.beside.answer(1, writes="a", reads="ab", seconds=0.5)
    assert [frame.call for frame in world.executor.frames if isinstance(frame, Accepted)] == [1]
    await world.commit()
    assert world.order == [2, 1]
    assert world.ended[1].row == 2
    assert world.executor.frames[-1] == OwnCommit(2, world.ended[1].ts, 1)


@on_loop
async def test_it_comes_back_when_it_is_quick_again() -> None:
    world = World()
    world.learn()
    for number in range(1, 20):
        world.submit(number, path="app:slow")
        if number not in world.in_second_lane:
            break
        world.beside.answer(number, seconds=0.001)
    assert world.in_first_lane == [number]
    assert 5 < number < 10


@on_loop
async def test_functions_of_the_engine_stay_in_the_first_lane() -> None:
    world = World()
    world.learn("_system/push:begin")
    world.learn("_system/imports:fill")
    world.submit(1, path="_system/push:begin")
    world.submit(2, path="_system/imports:fill")
    assert (world.in_first_lane, world.in_second_lane) == ([1], [2])


@on_loop
async def test_an_overtaken_call_runs_again_and_in_the_end_in_the_first_lane() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    for attempt in range(1, SECOND_LANE_ATTEMPTS_MAX + 1):
        assert world.in_second_lane == [1] * attempt
        world.submit(10 + attempt)
        world.executor.answer(10 + attempt, writes="a")
        await world.commit()
        world.beside.answer(1, writes="a", reads="a", seconds=0.5)
    assert world.in_second_lane == [1] * SECOND_LANE_ATTEMPTS_MAX
    assert world.in_first_lane == [11, 12, 13, 1]
    assert 1 not in world.ended
    world.executor.answer(1, writes="a")
    await world.commit()
    assert world.ended[1].row == 4


@on_loop
async def test_writes_that_are_not_durable_yet_overtake_too_and_are_waited_for() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    world.submit(2)
    world.executor.answer(2, writes="a")
    world.beside.answer(1, writes="b", reads="a")
    assert world.in_second_lane == [1]
    await world.commit()
    assert world.in_second_lane == [1, 1]
    world.beside.answer(1, writes="b", reads="a")
    await world.commit()
    assert world.ended[1].row == 2


@on_loop
async def test_nothing_is_accepted_while_calls_of_the_first_lane_are_under_way() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    world.submit(2, 3)
    world.beside.answer(1, writes="b", reads="a")
    world.submit(4)
    assert world.in_first_lane == [2, 3]
    world.executor.answer(2, writes="x")
    assert world.in_first_lane == [2, 3]
    world.executor.answer(3, writes="a")
    assert world.in_first_lane == [2, 3, 4]
    await world.commit()
    assert world.order == [2, 3]
    assert world.in_second_lane == [1, 1]


@on_loop
async def test_a_change_of_tables_code_or_variables_overtakes_everything() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    row = LogRow(1, 1, b"")
    record = TransactionRecord("op", "app:f", [Write(1, "t", b"{}", [])], None)
    world.timeline.append(row, [encode_write_set(record, max_creation_time=0.0).encoded])
    world.beside.answer(1, writes="b", reads="")
    assert world.in_second_lane == [1, 1]


@on_loop
async def test_mutations_of_one_client_keep_their_order_across_lanes() -> None:
    world = World()
    world.learn()
    world.submit(1, session="ann")
    world.submit(2, path="app:slow", session="ann")
    world.submit(3, session="ann")
    world.submit(4, session="bob")
    # What comes before is durable first: then its replay record and its writes are seen, too.
    assert (world.in_first_lane, world.in_second_lane) == ([1, 4], [])
    world.executor.answer(1, writes="a")
    world.executor.answer(4, writes="b")
    assert world.in_second_lane == []
    await world.commit()
    assert (world.in_first_lane, world.in_second_lane) == ([1, 4], [2])
    world.submit(5, session="ann")
    world.beside.answer(2, writes="c", reads="a")
    assert world.in_first_lane == [1, 4]
    await world.commit()
    assert world.in_first_lane == [1, 4, 3, 5]
    assert world.order == [1, 4, 2]


@on_loop
async def test_a_failure_in_the_second_lane_is_an_answer() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    world.beside.answer(1, failure=BAD, reads="a")
    assert world.ended[1].failure == BAD


@on_loop
async def test_the_call_that_ends_the_executor_of_the_second_lane_fails() -> None:
    world = World()
    world.learn()
    world.submit(1, 2, path="app:slow")
    lost, world.beside = world.beside, ScriptedExecutor(101)
    lost.on_lost("app:slow exceeded the limit function_cpu_s: 2 s of CPU time", 1)
    failure = world.ended[1].failure
    assert failure is not None
    assert (failure.code, failure.limit) == ("ExecutorLost", "function_cpu_s")
    assert world.in_second_lane == [2]


@on_loop
async def test_a_full_disk_refuses_what_ends_in_the_second_lane() -> None:
    world = World(capacity_rows=0)
    world.learn()
    world.submit(1, path="app:slow")
    world.submit(2)
    world.executor.answer(2, writes=True)
    await world.commit()
    world.beside.answer(1, writes="a")
    failure = world.ended[1].failure
    assert failure is not None
    assert failure.code == "NotCommitted"


@on_loop
async def test_the_gate_waits_for_the_second_lane_only_when_stopping() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    idle: list[str] = []
    world.pipeline.close_gate(lambda: idle.append("switch"))
    assert idle == ["switch"]
    world.pipeline.open_gate()
    world.pipeline.close_gate(lambda: idle.append("stop"), stopping=True)
    assert idle == ["switch"]
    world.beside.answer(1, writes="a")
    assert idle == ["switch"]
    await world.commit()
    assert idle == ["switch", "stop"]
    assert world.ended[1].failure is None


@on_loop
async def test_while_a_push_is_pending_all_run_in_the_first_lane() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    with world.pipeline.one_lane(world.lane_lost):
        world.submit(2, path="app:slow")
        assert world.in_first_lane == [2]
        world.beside.answer(1, writes="a")
        world.executor.answer(2)
        assert world.in_first_lane == [2, 1]
    world.submit(3, path="app:slow")
    assert world.in_second_lane == [1, 3]


async def looked_at(world: World) -> None:
    """Wait until the pipeline has looked at what runs, which it does every 10 ms."""
    looking = world.pipeline._looking
    assert looking is not None
    while world.pipeline._looking is looking:
        await asyncio.sleep(0.001)


@on_loop
async def test_what_unexpectedly_takes_long_begins_anew_in_the_second_lane() -> None:
    world = World()
    world.submit(1)
    world.submit(2, path="app:slow")
    world.submit(3)
    lost, world.executor = world.executor, ScriptedExecutor(2)
    lost.now_running, lost.used_ns = Running(2, 0, 0), 10_000_000
    await looked_at(world)
    assert world.in_second_lane == []
    lost.used_ns = 30_000_000
    await looked_at(world)
    assert world.needed == 1
    world.pipeline.attach(world.executor)
    assert (world.in_second_lane, world.in_first_lane) == ([2], [1, 3])
    lost.answer(1, writes="a")
    assert world.ended == {}
    assert world.pipeline.executors_lost == 0


@on_loop
async def test_it_stays_where_it_is_when_nobody_waits_or_a_push_is_pending() -> None:
    world = World()
    world.submit(1, path="app:slow")
    world.executor.now_running, world.executor.used_ns = Running(1, 0, 0), 30_000_000
    await looked_at(world)
    with world.pipeline.one_lane(world.lane_lost):
        world.submit(2)
        await looked_at(world)
    assert world.in_first_lane == [1, 2]
    await looked_at(world)
    world.executor = ScriptedExecutor(2)
    world.pipeline.attach(world.executor)
    assert (world.in_second_lane, world.in_first_lane) == ([1], [2])


@on_loop
async def test_what_was_overtaken_too_often_is_not_moved_again() -> None:
    world = World()
    world.learn()
    world.submit(1, path="app:slow")
    for attempt in range(SECOND_LANE_ATTEMPTS_MAX):
        world.submit(10 + attempt)
        world.executor.answer(10 + attempt, writes="a")
        await world.commit()
        world.beside.answer(1, writes="a", reads="a", seconds=0.5)
    world.submit(20)
    world.executor.now_running, world.executor.used_ns = Running(1, 0, 0), 30_000_000
    await looked_at(world)
    assert world.in_first_lane[-2:] == [1, 20]
    world.executor.answer(1, writes="a")
    await world.commit()
    assert world.ended[1].failure is None


@on_loop
async def test_calls_of_the_second_lane_see_each_other() -> None:
    world = World()
    world.learn()
    world.submit(1, 2, path="app:slow")
    assert world.in_second_lane == [1]
    world.beside.answer(1, writes="a", reads="a", seconds=0.5)
    assert world.in_second_lane == [1]
    await world.commit()
    assert world.in_second_lane == [1, 2]
    world.beside.answer(2, writes="a", reads="a", seconds=0.5)
    await world.commit()
    assert [world.ended[number].row for number in (1, 2)] == [1, 2]


@on_loop
async def test_one_that_stands_in_a_debugger_does_not_hold_up_the_second_lane() -> None:
    world = World()
    world.learn()
    world.submit(1, 2, path="app:slow")
    paused, world.beside = world.beside, ScriptedExecutor(101)
    paused.on_frame(Paused(1, True, False))
    assert world.in_second_lane == [2]
    idle: list[bool] = []
    world.beside.answer(2, writes="a", seconds=0.5)
    await world.commit()
    world.pipeline.close_gate(lambda: idle.append(True), stopping=True)
    assert idle == [True]
    world.pipeline.open_gate()
    paused.answer(1, writes="b", seconds=60.0)
    await world.commit()
    assert world.ended[1].row == 2


@on_loop
async def test_a_push_is_told_when_the_executor_that_checks_for_it_is_lost() -> None:
    world = World()
    with world.pipeline.one_lane(world.lane_lost):
        world.executor.on_lost("ended", 0)
        assert world.lost_in_push == 1
        world.executor = ScriptedExecutor(2)
        world.pipeline.attach(world.executor)
        world.submit(1)
        world.executor.on_frame(Paused(1, True, False))
        assert world.lost_in_push == 2
        world.executor = ScriptedExecutor(3)
        world.pipeline.attach(world.executor)
    world.executor.on_lost("ended", 0)
    assert world.lost_in_push == 2
