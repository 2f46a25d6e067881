"""Both lanes with real executors and stores, in every order of events that a seed gives: it is as if all ran one by one.

Executors are not processes here: when one handles a frame, when a result arrives, when a group is committed, when an executor is
lost, and when the disk is full is decided by a random generator. Each mutation increases counters and returns what they were.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Callable

import msgspec
import pytest
from support.scripted_executor import ScriptedExecutor

from convexpy.database import CommitOutcomes, GroupCommitter, Store, decode_entry
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Outcome
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.limits import Knobs
from convexpy.persistence import MemoryFiles
from convexpy.protocol.call_marker import Running
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import Call, FromExecutor, ToExecutor, encode_frame, reader_of_calls
from convexpy.runtime import ManualClock
from convexpy.sandbox.executor import Executor
from convexpy.sandbox.loader import LoadedApp
from convexpy.testing._local import load_app

APP = """
from convexpy import mutation

def up(ctx, name):
    found = [row for row in ctx.db.query("counters") if row["name"] == name]
    assert len(found) < 2
    if not found:
        ctx.db.insert("counters", {"name": name, "n": 1})
        return 0
    ctx.db.patch(found[0]["_id"], {"n": found[0]["n"] + 1})
    return found[0]["n"]

@mutation
def quick(ctx, names: list[str]) -> list[int]:
    return [up(ctx, name) for name in names]

@mutation
def slow(ctx, names: list[str]) -> list[int]:
    return [up(ctx, name) for name in names]
"""
SLOW = "app:slow"
NAMES = "abc"
CALLS = 60
FAULTS = ("NotCommitted", "ExecutorLost", "FunctionRefused")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> LoadedApp:
    folder = tmp_path_factory.mktemp("app") / "convex"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    return load_app(folder)[1]


class SteppedExecutor(ScriptedExecutor):
    """An executor that handles a frame when it is told to, and whose results arrive when they are told to."""

    def __init__(self, app: LoadedApp, files: MemoryFiles) -> None:
        super().__init__()
        self.incoming: deque[ToExecutor] = deque()
        self.results: deque[FromExecutor] = deque()
        self.lost = False
        store = Store(files.reader(), clock=ManualClock())
        settings = ExecutorSettings(version=1, folder="", data_address="")
        self._executor = Executor(app, store, settings, self.results.append)

    def send(self, frame: ToExecutor) -> None:
        self.send_later(encode_frame(frame))

    def send_later(self, data: bytes) -> None:
        self.incoming += reader_of_calls().feed(data)

    def handle(self) -> None:
        if self.incoming:
            self._executor.handle(self.incoming.popleft())

    def deliver(self) -> None:
        if self.results:
            self.on_frame(self.results.popleft())

    def lose(self) -> None:
        self.kill("its process was ended by SIGKILL")

    def kill(self, reason: str, call: int = 0) -> None:
        self.lost = True
        self.on_lost(reason, call)


class Simulation:
    """The engine, its executors, and what was answered."""

    def __init__(self, app: LoadedApp, seed: int) -> None:
        self.random = random.Random(seed)
        self.app = app
        self.files = MemoryFiles()
        self.executors: list[SteppedExecutor] = []
        self.outcomes: dict[int, Outcome] = {}
        self.calls: dict[int, Call] = {}
        self.order: list[int] = []
        timeline = LogTimeline([], 0, 0, 0)
        self.second = QueryDispatcher(timeline, Knobs(), need_executor=self._need_second)
        self.pipeline = MutationPipeline(
            timeline,
            Knobs(),
            open_committer=self._open_committer,
            committed=self._committed,
            on_schema_violations=lambda found: None,
            on_fatal=self._fatal,
            need_executor=self._need_first,
            slow_mutations=self.second,
        )
        self._need_first()

    def _open_committer(self, outcomes: CommitOutcomes) -> GroupCommitter:
        def soon(callback: Callable[..., object], *arguments: object) -> None:
            callback(*arguments)

        return GroupCommitter(
            self.files.log, outcomes, seq=0, ts=0, max_creation_time=0.0, clock=ManualClock(), call_soon=soon,
            probe_interval_s=0.0,
        )  # fmt: skip

    def _committed(self, row: TailRow) -> None:
        self.second.row(row)

    def _fatal(self, error: BaseException) -> None:
        raise AssertionError("fatal") from error

    def _start(self) -> SteppedExecutor:
        self.executors.append(SteppedExecutor(self.app, self.files))
        return self.executors[-1]

    def _need_first(self) -> None:
        self.pipeline.attach(self._start())

    def _need_second(self) -> None:
        if self.second.lacks_executor:
            self.second.attach(self._start())

    def submit(self) -> None:
        number = len(self.calls) + 1
        names = self.random.sample(NAMES, self.random.choice((1, 1, 2)))
        path = SLOW if self.random.random() < 0.3 else "app:quick"
        session = self.random.choice(("", "", "ann", "bob"))
        args = json.dumps({"names": names}).encode()
        call = Call(number, "mutation", path, args, f"r{number}", 0, session=session, request=number)
        if self.calls and self.random.random() < 0.1:
            # A client that has connected again repeats what it has no answer to.
            earlier = self.calls[self.random.randint(1, number - 1)]
            call = msgspec.structs.replace(earlier, id=number) if earlier.session else call
        self.calls[number] = call
        self.pipeline.submit(call, lambda outcome: self._end(number, outcome))

    def _end(self, number: int, outcome: Outcome) -> None:
        assert number not in self.outcomes
        self.outcomes[number] = outcome
        self.order.append(number)

    def _look(self, executor: SteppedExecutor) -> None:
        """Have the call that comes next in an executor be found to take long."""
        calls = [frame for frame in executor.incoming if isinstance(frame, Call)]
        if calls:
            executor.now_running, executor.used_ns = Running(calls[0].id, 0, 0), 10**9
            self.pipeline._moves_from_s = 0.0
            self.pipeline._look()
            executor.now_running = None

    def step(self, *, faults: bool) -> None:
        if self.random.random() < 0.9:
            self.pipeline._pace.slow.add(SLOW)
        alive = [executor for executor in self.executors if not (executor.lost or executor.closed)]
        executor = self.random.choice(alive)
        chance = self.random.random()
        if chance < 0.4:
            executor.handle()
        elif chance < 0.8:
            executor.deliver()
        elif chance < 0.96 or not faults:
            self.pipeline.committer.run_once()
        elif chance < 0.97:
            self._look(executor)
        elif chance < 0.98:
            self.pipeline._on_lane_lost = None if self.pipeline._on_lane_lost else lambda: None
        elif chance < 0.99:
            executor.lose()
        elif self.files.capacity_rows is None:
            self.files.capacity_rows = len(self.files.rows)
        else:
            self.files.capacity_rows = None

    async def run(self) -> None:
        while len(self.calls) < CALLS:
            if self.random.random() < 0.15:
                self.submit()
            self.step(faults=True)
            await asyncio.sleep(0)
        self.files.capacity_rows, self.pipeline._on_lane_lost = None, None
        for _ in range(20_000):
            if len(self.outcomes) == CALLS:
                return
            self.step(faults=False)
            await asyncio.sleep(0)
        raise AssertionError(f"without an answer: {sorted(set(self.calls) - set(self.outcomes))}")


@pytest.mark.parametrize("seed", range(100))
def test_it_is_as_if_all_had_run_one_by_one(app: LoadedApp, seed: int) -> None:
    asyncio.run(_check(app, seed))


async def _check(app: LoadedApp, seed: int) -> None:
    simulation = Simulation(app, seed)
    await simulation.run()
    seen: dict[str, list[int]] = {name: [] for name in NAMES}
    by_session: dict[tuple[str, str], list[tuple[int, int]]] = {}
    counted: set[int] = set()
    answers: dict[int, bytes] = {}
    for number, outcome in simulation.outcomes.items():
        if outcome.failure is not None:
            assert outcome.failure.code in FAULTS, outcome.failure
            continue
        call = simulation.calls[number]
        assert answers.setdefault(call.request, outcome.value) == outcome.value, (
            "a repeated request has run twice"
        )
        if call.request in counted:
            continue
        counted.add(call.request)
        for name, before in zip(json.loads(call.args)["names"], json.loads(outcome.value), strict=True):
            seen[name].append(int(before))
            if call.session:
                by_session.setdefault((call.session, name), []).append((number, int(before)))
    for name, numbers in seen.items():
        assert sorted(numbers) == list(range(len(numbers))), name
    for entries in by_session.values():
        in_order = sorted(entries)
        assert [before for _, before in in_order] == sorted(before for _, before in in_order)
    operations = Counter(
        transaction.operation_id
        for row in simulation.files.rows
        for transaction in decode_entry(row.entry).transactions
    )
    assert set(operations.values()) <= {1}
