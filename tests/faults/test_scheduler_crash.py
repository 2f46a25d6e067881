"""kill -9 at random moments while jobs are scheduled and run: mutations happen exactly once, every action ends in a state.

Each request writes a key and schedules, in the same transaction, a mutation and an action for it; the mutation writes the
key again and schedules a second one. So for every key that is there at the end, acknowledged or not, there is exactly one
document of each mutation, and the action's document says how it ended.
"""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

KILLS = 8
GONE = (OSError, http.client.HTTPException)
APP = {
    "jobs.py": """
from datetime import timedelta
from convexpy import ActionCtx, MutationCtx, QueryCtx, internal_action, internal_mutation, mutation, query

@mutation
def ask(ctx: MutationCtx, key: str, delay: float) -> None:
    ctx.db.insert("asked", {"key": key})
    ctx.scheduler.run_after(delay, first, key=key)
    ctx.scheduler.run_after(delay, work, key=key)

@internal_mutation
def first(ctx: MutationCtx, key: str) -> None:
    ctx.db.insert("first", {"key": key})
    ctx.scheduler.run_after(0, second, key=key)

@internal_mutation
def second(ctx: MutationCtx, key: str) -> None:
    ctx.db.insert("second", {"key": key})
    if key.endswith("7"):
        raise ValueError("undone")

@internal_action
async def work(ctx: ActionCtx, key: str) -> None:
    await ctx.run_mutation(worked, key=key)

@internal_mutation
def worked(ctx: MutationCtx, key: str) -> None:
    ctx.db.insert("worked", {"key": key})

@mutation
def set_up(ctx: MutationCtx) -> None:
    for table in ("asked", "first", "second", "worked", "ticks"):
        ctx.db.insert(table, {"key": ""})

@internal_mutation
def tick(ctx: MutationCtx) -> None:
    ctx.db.insert("ticks", {"key": ""})

@query
def keys(ctx: QueryCtx, table: str) -> list[str]:
    return [row["key"] for row in ctx.db.query(table) if row["key"]]

@query
def unfinished(ctx: QueryCtx) -> int:
    jobs = ctx.db.system.query("_scheduled_functions")
    return sum(job["state"]["kind"] in ("pending", "inProgress") for job in jobs)

@query
def ends(ctx: QueryCtx) -> list:
    jobs = ctx.db.system.query("_scheduled_functions")
    return [[job["name"], job["args"][0]["key"], job["state"]] for job in jobs]
""",
    "crons.py": """
from convexpy import cron_jobs
from . import jobs
crons = cron_jobs()
crons.interval("tick", jobs.tick, seconds=1)
""",
}


class Load:
    """Clients that ask until they are told to stop, and what was acknowledged."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed, number)) for number in range(3)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int, number: int) -> None:
        chance, made = random.Random(f"{seed}|{number}"), 0
        while not self.stopping.is_set():
            key = f"{number}-{made}"
            made += 1
            try:
                self.server.call("mutation", "jobs:ask", key=key, delay=chance.choice([0, 0, 5, 50, 400]))
                self.acknowledged.append(key)
            except (*GONE, AssertionError):
                self.stopping.wait(0.02)


def test_killed_while_jobs_run(server: ServerProcess) -> None:
    seed = int(os.environ.get("CONVEXPY_SEED") or random.randrange(2**32))
    print(f"CONVEXPY_SEED={seed}")
    moments = random.Random(seed)
    server.push_ok(APP)
    server.call("mutation", "jobs:set_up")
    with Load(server, seed) as load:
        for _ in range(KILLS):
            count = len(load.acknowledged)
            wait_for(lambda count=count: len(load.acknowledged) > count + 5, what="work after the restart")
            time.sleep(moments.uniform(0.0, 0.8))  # the moment is the seed's, no fact is waited for
            server.kill()
            server.start()
    wait_for(lambda: server.call("query", "jobs:unfinished") == 0, what="the end of all jobs")
    check(server, load.acknowledged)


def check(server: ServerProcess, acknowledged: list[str]) -> None:
    asked = server.call("query", "jobs:keys", table="asked")
    assert len(acknowledged) > 5 * KILLS
    assert set(acknowledged) <= set(asked)
    assert Counter(asked) == Counter(set(asked))
    assert Counter(server.call("query", "jobs:keys", table="first")) == Counter(asked)
    kept = [key for key in asked if not key.endswith("7")]
    assert Counter(server.call("query", "jobs:keys", table="second")) == Counter(kept)
    ends: list[tuple[str, str, dict[str, Any]]] = [tuple(end) for end in server.call("query", "jobs:ends")]
    assert Counter(key for name, key, _ in ends if name == "jobs.js:second") == Counter(asked)
    assert {state["kind"] for name, _, state in ends if name == "jobs.js:first"} == {"success"}
    check_actions(server, asked)


def check_actions(server: ServerProcess, asked: list[str]) -> None:
    ends = server.call("query", "jobs:ends")
    actions: dict[str, dict[str, Any]] = {key: state for name, key, state in ends if name == "jobs.js:work"}
    assert actions.keys() == set(asked)
    worked = Counter(server.call("query", "jobs:keys", table="worked"))
    assert set(worked.values()) <= {1}
    for key, state in actions.items():
        assert state["kind"] in ("success", "failed"), (key, state)
        if state["kind"] == "success":
            assert worked[key] == 1
        else:
            assert state["error"] == "Transient error while executing action", (key, state)


@pytest.mark.parametrize("visit", [2, 3, 4])
@pytest.mark.parametrize("point", ["committer.before_append", "committer.after_append"])
def test_killed_at_the_points_of_a_commit(server: ServerProcess, point: str, visit: int) -> None:
    """A job's mutation has run and is not durable, or is durable and nobody has been told: it has happened once."""
    server.push_ok(APP)
    server.call("mutation", "jobs:set_up")
    server.call("mutation", "jobs:ask", key="a", delay=1500)
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": f"{point}=kill@{visit}"})
    assert server.process.wait(60) == -9  # the cron job alone brings it there
    server.kill()
    server.start(env={})
    wait_for(lambda: server.call("query", "jobs:unfinished") == 0, what="the end of all jobs")
    for table in ("asked", "first", "second"):
        assert server.call("query", "jobs:keys", table=table) == ["a"]
    check_actions(server, ["a"])
