"""Time in `convexpy.testing`: jobs and crons run when the clock is moved, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from convexpy.errors import Error
from convexpy.testing._client import LocalTest
from convexpy.testing._local import LocalDeployment

MODULES = {
    "tasks.py": """
from datetime import timedelta
from convexpy import ActionCtx, MutationCtx, QueryCtx, action, internal_action, internal_mutation, mutation, query

@internal_mutation
def note(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert("notes", {"text": text, "at": ctx.now()})

@internal_mutation
def count_down(ctx: MutationCtx, left: int) -> None:
    ctx.db.insert("notes", {"text": f"{left}", "at": ctx.now()})
    if left:
        ctx.scheduler.run_after(timedelta(days=1), count_down, left=left - 1)

@internal_mutation
def again(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(1000, again)

@internal_action
async def work(ctx: ActionCtx) -> None:
    await ctx.run_mutation(note, text="work")
    await ctx.scheduler.run_after(0, note, text="after work")

@mutation
def plan(ctx: MutationCtx, ms: float, fn: str, args: dict) -> str:
    return ctx.scheduler.run_after(ms, f"tasks:{fn}", args)

@mutation
def cancel(ctx: MutationCtx, id: str) -> None:
    ctx.scheduler.cancel(id)

@query
def texts(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in ctx.db.query("notes")]

@query
def times(ctx: QueryCtx) -> list[float]:
    return [note["at"] for note in ctx.db.query("notes")]

@query
def states(ctx: QueryCtx) -> list[str]:
    return [job["state"]["kind"] for job in ctx.db.system.query("_scheduled_functions")]
""",
}
CRONS = """
from convexpy import cron_jobs
from . import tasks
crons = cron_jobs()
crons.interval("tick", tasks.note, {"text": "tick"}, minutes=10)
crons.daily("day", tasks.work, hour_utc=5)
"""


@pytest.fixture
def modules() -> dict[str, str]:
    return MODULES


@pytest.fixture
def convex(tmp_path: Path, modules: dict[str, str]) -> Iterator[LocalTest]:
    folder = tmp_path / "convex"
    folder.mkdir()
    for name, text in modules.items():
        (folder / name).write_text(text)
    local = LocalDeployment(folder)
    yield LocalTest(local)
    local.close()
    local.loader.unload()
    assert local.fatal is None


def test_jobs_run_when_the_clock_reaches_them(convex: LocalTest) -> None:
    convex.mutation("tasks:plan", ms=0, fn="note", args={"text": "now"})
    convex.mutation("tasks:plan", ms=1000, fn="note", args={"text": "soon"})
    convex.mutation("tasks:plan", ms=60_000, fn="work", args={})
    assert convex.query("tasks:states") == ["pending"] * 3
    convex.advance(0)
    assert convex.query("tasks:texts") == ["now"]
    convex.advance(timedelta(seconds=59))
    assert convex.query("tasks:texts") == ["now", "soon"]
    convex.advance(timedelta(seconds=1))
    assert convex.query("tasks:texts") == ["now", "soon", "work", "after work"]
    assert convex.query("tasks:states") == ["success"] * 4
    now, soon, *_ = convex.query("tasks:times")
    assert soon - now == 1000


def test_finishing_runs_what_is_planned_and_what_that_plans(convex: LocalTest) -> None:
    convex.mutation("tasks:plan", ms=5000, fn="count_down", args={"left": 3})
    convex.finish_scheduled()
    assert convex.query("tasks:texts") == ["3", "2", "1", "0"]
    times = convex.query("tasks:times")
    assert [later - earlier for earlier, later in pairwise(times)] == [86_400_000] * 3
    convex.finish_scheduled()


@pytest.mark.slow
def test_finishing_gives_up_on_what_goes_on_for_ever(convex: LocalTest) -> None:
    convex.mutation("tasks:plan", ms=0, fn="again", args={})
    with pytest.raises(Error, match="for ever"):
        convex.finish_scheduled()


def test_a_canceled_job_does_not_run(convex: LocalTest) -> None:
    id = convex.mutation("tasks:plan", ms=1000, fn="note", args={"text": "never"})
    convex.mutation("tasks:cancel", id=id)
    convex.advance(timedelta(days=1))
    assert convex.query("tasks:texts") == []
    assert convex.query("tasks:states") == ["canceled"]


@pytest.mark.slow
def test_ended_jobs_are_forgotten_after_a_week(convex: LocalTest) -> None:
    for _ in range(300):
        convex.mutation("tasks:plan", ms=0, fn="note", args={"text": "x"})
    convex.advance(timedelta(days=6))
    assert convex.query("tasks:states") == ["success"] * 300
    convex.advance(timedelta(days=2))
    assert convex.query("tasks:states") == []


def test_states_reach_subscribers(convex: LocalTest) -> None:
    convex.mutation("tasks:plan", ms=1000, fn="note", args={"text": "x"})
    with convex.subscribe("tasks:states") as sub:
        assert sub.next() == ["pending"]
        convex.advance(1000)
        assert sub.next() == ["success"]


@pytest.mark.parametrize("modules", [{**MODULES, "crons.py": CRONS}])
def test_crons_run_with_the_clock(convex: LocalTest) -> None:
    assert convex.query("tasks:texts") == []
    convex.advance(timedelta(minutes=35))
    assert convex.query("tasks:texts") == ["tick"] * 4
    times = convex.query("tasks:times")
    assert [later - earlier for earlier, later in pairwise(times)] == [600_000] * 3
    convex.advance(timedelta(days=1))
    assert convex.query("tasks:texts").count("work") == 1
    assert convex.query("tasks:texts").count("tick") == 4 + 24 * 6


def test_cron_jobs_go_on_when_a_clock_that_ran_ahead_is_put_right(tmp_path: Path) -> None:
    folder = tmp_path / "convex"
    folder.mkdir()
    for name, text in {**MODULES, "crons.py": CRONS}.items():
        (folder / name).write_text(text)
    local = LocalDeployment(folder)
    convex = LocalTest(local)
    try:
        convex.advance(timedelta(days=1))
        ticks = convex.query("tasks:texts").count("tick")
        works = convex.query("tasks:texts").count("work")
        # The machine's clock is set: only the test's clock can be, and it has no other way.
        local.clock._now_ns -= 86_400_000_000_000
        convex.advance(timedelta(seconds=1))
        assert convex.query("tasks:texts").count("tick") == ticks + 1
        convex.advance(timedelta(minutes=10))
        assert convex.query("tasks:texts").count("tick") == ticks + 2
        convex.advance(timedelta(days=1))
        assert convex.query("tasks:texts").count("work") == works + 1
    finally:
        local.close()
        local.loader.unload()
    assert local.fatal is None
