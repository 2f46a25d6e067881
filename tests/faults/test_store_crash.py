"""Killed at each named point: nothing acknowledged is lost, nothing is half there, data.db equals one moment."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convexpy.database import Checkpointer, Store, recover
from convexpy.functions._host import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader
from convexpy.runtime import SystemClock

CHILD = Path(__file__).with_name("store_child.py")
ROOT = Path(__file__).parents[2]
DEADLINE_S = 60


def run(folder: Path, pause: str = "", *, kill_after_lines: int | None = None) -> tuple[list[str], int]:
    """Run the child to its end or its death; return what it printed and its exit status."""
    env = {**os.environ, "CONVEXPY_PAUSE": pause, "PYTHONPATH": str(ROOT / "src")}
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), "60"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        lines.append(line.strip())
        if len(lines) == kill_after_lines:
            child.kill()
    child.stdout.close()
    return lines, child.wait(DEADLINE_S)


def expected_parts(last: int) -> set[tuple[int, int]]:
    """The (number, part) that are there after transaction `last`."""
    parts = {(number, part) for number in range(last + 1) for part in range(2)}
    return parts - {(number - 1, 0) for number in range(1, last + 1, 2)}


def check_files(folder: Path, *, built: bool = False) -> None:
    """What a tool sees that opens data.db: one moment, and indexes that fit; with `built` also the one built late."""
    person = sqlite3.connect(folder / "data.db")
    ask = person.execute
    assert ask("PRAGMA integrity_check").fetchone() == ("ok",)
    views = {name for (name,) in ask("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    if "counts" in views:
        counts = ask("SELECT document ->> 'last' FROM counts").fetchall()
        parts = ask("SELECT document ->> 'number', document ->> 'part' FROM parts").fetchall()
        assert sorted(parts) == sorted(expected_parts(counts[0][0]) if counts else [])
        indexes = ask("SELECT document ->> 'number', document ->> 'tablet', document ->> 'state' FROM _index")
        for index, tablet, state in indexes.fetchall():
            if state == "ready" or built:
                entered = ask(f"SELECT n FROM _i{index} ORDER BY n").fetchall()
                assert entered == ask(f"SELECT n FROM _t{tablet} ORDER BY n").fetchall()
    assert not built or "counts" in views
    person.close()


def check_recovered(folder: Path, acknowledged: int) -> int:
    """Recover, and compare everything with what the last transaction says; return its number."""
    data = DataFolder(folder, allow_network_file_system=True)
    recovered = recover(data.log, data.checkpoint, clock=SystemClock())
    checkpointer = Checkpointer(data.checkpoint)
    reader = open_checkpoint_reader(folder)
    store = Store(reader, clock=SystemClock())
    for row in recovered.rows:
        store.row(*row)
        checkpointer.row(*row)
    last = check_store(store, acknowledged)
    checkpointer.run(recovered.seq)
    store.checkpoint(recovered.seq)
    assert check_store(store, acknowledged) == last
    reader.close()
    data.close()
    return last


def check_store(store: Store, acknowledged: int) -> int:
    transaction = store.begin(writable=False, now_ms=0, budget=TransactionBudget(), random=random.Random(0))
    count = transaction.first(QueryPlan("counts"))
    last = int(count["last"]) if count is not None else -1
    assert last >= acknowledged
    plans = [QueryPlan("parts"), QueryPlan("parts", "by_id")]
    table = transaction.catalog.by_name.get("parts")
    if table is not None:
        plans += [QueryPlan("parts", name) for name, index in table.by_name.items() if index.is_ready]
    for plan in plans:
        found = [(document["number"], document["part"]) for document in transaction.stream(plan)]
        assert sorted(found) == sorted(expected_parts(last)), plan
    for number in range(last + 1):
        assert store.replay("session", number) is not None
    assert store.replay("session", last + 1) is None
    return last


POINTS = [
    "committer.before_append=kill",
    "committer.before_append=kill@9",
    "committer.after_append=kill",
    "committer.after_append=kill@12",
    "checkpoint.half_applied=kill",
    "checkpoint.half_applied=kill@2",
    "checkpoint.before_commit=kill",
    "checkpoint.before_commit=kill@3",
    "checkpoint.before_compact=kill",
    "checkpoint.before_compact=kill@2",
    "walk.before_enter=kill",
    "walk.before_enter=kill@3",
]


def acknowledged_in(lines: list[str]) -> int:
    return max((int(line) for line in lines if line.isdigit()), default=-1)


@pytest.mark.parametrize("pause", POINTS)
def test_killed_at_a_point_and_started_again(tmp_path: Path, pause: str) -> None:
    lines, status = run(tmp_path, pause)
    assert "finished" not in lines
    assert status != 0
    check_files(tmp_path)
    last = check_recovered(tmp_path, acknowledged_in(lines))
    check_files(tmp_path)
    lines, status = run(tmp_path)
    assert (lines[-1], status) == ("finished", 0)
    assert acknowledged_in(lines) == last + 60
    check_recovered(tmp_path, last + 60)
    check_files(tmp_path, built=True)


def test_killed_again_and_again_at_any_moment(tmp_path: Path) -> None:
    last = -1
    for lines_before in (3, 8, 1, 14, 5):
        lines, _ = run(tmp_path, kill_after_lines=lines_before)
        last = check_recovered(tmp_path, max(last, acknowledged_in(lines)))
    check_files(tmp_path)


def test_a_failed_append_stops_the_process_without_an_answer(tmp_path: Path) -> None:
    lines, status = run(tmp_path, "committer.after_append=fail@5")
    assert status == 3
    assert "finished" not in lines
    assert check_recovered(tmp_path, acknowledged_in(lines)) >= acknowledged_in(lines)


def test_files_of_different_moments_are_refused(tmp_path: Path) -> None:
    """Two files copied at different times: the log ends before the checkpoint, or begins after it."""
    from convexpy.persistence import CheckpointBatch, StoreRefused

    data = DataFolder(tmp_path, allow_network_file_system=True)
    recover(data.log, data.checkpoint, clock=SystemClock())
    data.checkpoint.apply(CheckpointBatch(5))
    with pytest.raises(StoreRefused, match="from different points in time"):
        recover(data.log, data.checkpoint, clock=SystemClock())
    for seq in range(2, 30):
        data.log.append(seq, 2**62 + seq, b"")
    data.log.trim(20, 100)
    with pytest.raises(StoreRefused, match="holds rows 20 to 29, the checkpoint is at row 5"):
        recover(data.log, data.checkpoint, clock=SystemClock())
    data.close()


def test_an_empty_row_is_appended_at_every_start(tmp_path: Path) -> None:
    seen: list[Any] = []
    for _ in range(3):
        data = DataFolder(tmp_path, allow_network_file_system=True)
        recovered = recover(data.log, data.checkpoint, clock=SystemClock())
        seen.append((recovered.seq, recovered.ts))
        assert [row.seq for row in recovered.rows] == list(range(1, recovered.seq + 1))
        data.close()
    assert [seq for seq, _ in seen] == [1, 2, 3]
    assert 0 < seen[0][1] < seen[1][1] < seen[2][1]
