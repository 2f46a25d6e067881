"""A mutation of the second lane in an executor: what it reports, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.database import Store
from convexpy.limits import Knobs
from convexpy.persistence import MemoryFiles
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import Call, FromExecutor, Result
from convexpy.runtime import ManualClock
from convexpy.sandbox.executor import Executor
from convexpy.testing._local import load_app

APP = """
from convexpy import mutation

@mutation
def add(ctx, n: int) -> int:
    before = ctx.db.query("numbers").collect()
    ctx.db.insert("numbers", {"n": n})
    return len(before)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "convex"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    return folder


class Bench:
    """An executor over an empty store in memory, and its results."""

    def __init__(self, app: Path) -> None:
        self.results: list[Result] = []
        store = Store(MemoryFiles().reader(), clock=ManualClock())
        settings = ExecutorSettings(version=1, folder="", data_address="", knobs=Knobs())
        self._executor = Executor(load_app(app)[1], store, settings, self._send)
        self._number = 0

    def _send(self, frame: FromExecutor) -> None:
        assert isinstance(frame, Result)
        self.results.append(frame)

    def add(self, *, beside: bool, session: str = "") -> Result:
        self._number += 1
        call = Call(
            self._number,
            "mutation",
            "app:add",
            b'{"n":1}',
            "r",
            1000,
            session=session,
            request=1,
            beside=beside,
        )
        self._executor.handle(call)
        return self.results[-1]


def test_it_reports_what_it_read_and_keeps_nothing(app: Path) -> None:
    bench = Bench(app)
    first = bench.add(beside=True, session="ann")
    assert (first.failure, first.value) == (None, b"0.0")
    assert first.writes
    assert first.reads
    again = bench.add(beside=True, session="ann")
    assert (again.value, again.replayed_seq) == (b"0.0", None)
    assert bench.add(beside=False).reads == []
    assert bench.add(beside=False).value == b"1.0"


def test_its_documents_have_creation_times_of_their_own(app: Path) -> None:
    bench = Bench(app)
    times = [bench.add(beside=beside).max_creation_time for beside in (True, True, False)]
    assert 0.5 <= times[0] - 1000 < 0.51
    assert len(set(times)) == 3
    assert Bench(app).add(beside=False).max_creation_time - 1000 < 0.01
