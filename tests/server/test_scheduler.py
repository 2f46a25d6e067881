"""Scheduled functions on a real server: transactions, states, order, cancellation, what a restart leaves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket

APP = {
    "jobs.py": """
import os
from datetime import datetime, timedelta, timezone
from convexpy import (
    ActionCtx, ConvexError, MutationCtx, QueryCtx, SyncActionCtx, action, from_ms, internal_action, internal_mutation, mutation, query,
)

@internal_mutation
def note(ctx: MutationCtx, text: str) -> None:
    identity = ctx.auth.get_user_identity()
    print("noting", text)
    ctx.db.insert("notes", {"text": text, "who": None if identity is None else identity.subject})

@internal_mutation
def breaks(ctx: MutationCtx) -> None:
    ctx.db.insert("notes", {"text": "never"})
    ctx.scheduler.run_after(0, note, text="never")
    raise ValueError("broken on purpose")

@internal_mutation
def dies(ctx: MutationCtx) -> None:
    os._exit(3)

@query
def read(ctx: QueryCtx) -> None: ...

@internal_action
async def work(ctx: ActionCtx, text: str) -> None:
    await ctx.run_mutation(note, text=text)
    if text == "bad":
        raise ValueError("bad work")

@internal_action
def slow(ctx: SyncActionCtx, text: str) -> None:
    import time
    ctx.run_mutation(note, text=f"{text} began")
    while not ctx.run_query(is_open):
        time.sleep(0.01)
    ctx.scheduler.run_after(0, note, text=f"{text} child")
    ctx.run_mutation(plan, ms=0, fn="note", args={"text": f"{text} grandchild"})
    ctx.run_mutation(note, text=f"{text} ended")

@query
def is_open(ctx: QueryCtx) -> bool:
    return ctx.db.query("gate").first() is not None

@mutation
def open_gate(ctx: MutationCtx) -> None:
    ctx.db.insert("gate", {})

@mutation
def plan(ctx: MutationCtx, ms: float, fn: str, args: dict) -> str:
    return ctx.scheduler.run_after(ms, f"jobs:{fn}", args)

@mutation
def plan_at(ctx: MutationCtx, at: float, text: str) -> str:
    return ctx.scheduler.run_at(from_ms(at), note, text=text)

@mutation
def plan_many(ctx: MutationCtx, count: int, args_bytes: int = 0) -> None:
    for number in range(count):
        ctx.scheduler.run_after(0, note, text=f"{number}" + "x" * args_bytes)

@internal_mutation
def plan_and_fail(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, note, text="never")
    raise ConvexError("no")

@mutation
def plan_partly(ctx: MutationCtx) -> None:
    try:
        ctx.run_mutation(plan_and_fail)
    except ConvexError:
        pass
    used = ctx.meta.limits.functions_scheduled.used
    ctx.scheduler.run_after(0, note, text=f"kept after {used}")

@mutation
def plan_twice_and_fail(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, note, text="never")
    raise ConvexError("no")

@action
async def plan_in_action(ctx: ActionCtx, fail: bool) -> str:
    job = await ctx.scheduler.run_after(timedelta(milliseconds=1), note, text="from an action")
    later = await ctx.scheduler.run_at(datetime.now(timezone.utc) + timedelta(days=1), note, text="tomorrow")
    await ctx.scheduler.cancel(later)
    if fail:
        raise ValueError("after scheduling")
    return job

@action
async def bad_plan(ctx: ActionCtx) -> str:
    try:
        await ctx.scheduler.run_after(0, "jobs:nothing", {})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""

@mutation
def cancel(ctx: MutationCtx, id: str) -> None:
    ctx.scheduler.cancel(id)

@mutation
def cancel_but_fail(ctx: MutationCtx, id: str) -> None:
    ctx.scheduler.cancel(id)
    raise ConvexError("no")

@mutation
def some_id(ctx: MutationCtx) -> str:
    return ctx.db.insert("notes", {"text": "other", "who": None})

@query
def notes(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in ctx.db.query("notes")]

@query
def whom(ctx: QueryCtx) -> list:
    return [note["who"] for note in ctx.db.query("notes")]

@query
def job(ctx: QueryCtx, id: str) -> dict | None:
    return ctx.db.system.get(id)

@query
def states(ctx: QueryCtx) -> dict:
    found = {}
    for job in ctx.db.system.query("_scheduled_functions"):
        found[job["state"]["kind"]] = found.get(job["state"]["kind"], 0) + 1
    return found
""",
}
FAR_MS = 3_600_000


def plan(server: ServerProcess, fn: str, ms: float = 0, **args: Any) -> str:
    id: str = server.call("mutation", "jobs:plan", ms=ms, fn=fn, args=args)
    return id


def state(server: ServerProcess, id: str) -> str:
    kind: str = server.call("query", "jobs:job", id=id)["state"]["kind"]
    return kind


def ended(server: ServerProcess, id: str) -> dict[str, Any]:
    """Return the document of a job when it has ended."""

    def document() -> Any:
        found = server.call("query", "jobs:job", id=id)
        return found if found["state"]["kind"] not in ("pending", "inProgress") else None

    found: dict[str, Any] = wait_for(document, what=f"the end of job {id}")
    return found


def test_a_job_runs_and_its_document_says_so(server: ServerProcess) -> None:
    server.push_ok(APP)
    id = plan(server, "note", 20, text="a")
    job = ended(server, id)
    assert job.keys() == {"_id", "_creationTime", "name", "args", "scheduledTime", "completedTime", "state"}
    assert (job["name"], job["args"], job["state"]) == ("jobs.js:note", [{"text": "a"}], {"kind": "success"})
    assert job["completedTime"] >= job["scheduledTime"] > job["_creationTime"]
    assert server.call("query", "jobs:notes") == ["a"]


def test_identity_is_not_carried_over(server: ServerProcess) -> None:
    server.push_ok(APP)
    acting = "eyJpc3N1ZXIiOiJodHRwczovL3giLCJzdWJqZWN0IjoidTEifQ"  # {"issuer":"https://x","subject":"u1"}
    headers = {"Authorization": f"Convex {server.admin_key}:{acting}=="}
    body = {"path": "jobs:plan", "args": {"ms": 0, "fn": "note", "args": {"text": "a"}}}
    status, answer, _ = server.request("POST", "/api/mutation", body, headers=headers)
    assert status == 200, answer
    ended(server, answer["value"])
    assert server.call("query", "jobs:whom") == [None]


def test_a_failed_mutation_is_undone_and_remembered(server: ServerProcess) -> None:
    server.push_ok(APP)
    job = ended(server, plan(server, "breaks"))
    assert job["state"] == {"kind": "failed", "error": "Uncaught ValueError: broken on purpose"}
    assert server.call("query", "jobs:notes") == []
    assert server.call("query", "jobs:states") == {"failed": 1}


def test_scheduling_is_part_of_the_transaction(server: ServerProcess) -> None:
    server.push_ok(APP)
    server.call("mutation", "jobs:plan_partly")
    server.failure("mutation", "jobs:plan_twice_and_fail")
    wait_for(lambda: server.call("query", "jobs:states") == {"success": 1})
    assert server.call("query", "jobs:notes") == ["kept after 0"]


def test_in_actions_scheduling_is_kept_even_when_the_action_fails(server: ServerProcess) -> None:
    server.push_ok(APP)
    ended(server, server.call("action", "jobs:plan_in_action", fail=False))
    server.failure("action", "jobs:plan_in_action", fail=True)
    wait_for(lambda: server.call("query", "jobs:states") == {"success": 2, "canceled": 2})
    assert server.call("query", "jobs:notes") == ["from an action"] * 2
    assert server.call("action", "jobs:bad_plan").startswith("FunctionNotFound: Attempted to schedule")


def test_refused_plans(server: ServerProcess) -> None:
    server.push_ok(APP)
    for ms, fn, words in (
        (-1, "note", "must not be negative"),
        (1e20, "note", "within five years"),
        (0, "nothing", "Attempted to schedule function at nonexistent path: jobs:nothing"),
        (0, "read", "only mutations and actions"),
    ):
        failure = server.failure("mutation", "jobs:plan", ms=ms, fn=fn, args={})
        assert words in failure["errorMessage"], failure
    for at in (0, 4e12):
        failure = server.failure("mutation", "jobs:plan_at", at=at, text="x")
        assert "within five years" in failure["errorMessage"]
    nan = {"$float": "AAAAAAAA+H8="}
    body = {
        "path": "jobs:plan",
        "format": "convex_encoded_json",
        "args": {"ms": nan, "fn": "note", "args": {}},
    }
    _, answer, _ = server.request("POST", "/api/mutation", body)
    assert "milliseconds or a timedelta" in answer["errorMessage"]
    assert server.call("query", "jobs:states") == {}


def test_limits_of_one_transaction(server: ServerProcess) -> None:
    server.push_ok(APP)
    server.call("mutation", "jobs:plan_many", count=1000)
    failure = server.failure("mutation", "jobs:plan_many", count=1001)
    assert "Too many functions scheduled by this mutation (limit: 1000)" in failure["errorMessage"]
    failure = server.failure("mutation", "jobs:plan_many", count=6, args_bytes=3_000_000)
    assert "Too large total size of the arguments" in failure["errorMessage"]
    failure = server.failure("mutation", "jobs:plan_many", count=1, args_bytes=4_200_000)
    assert "more than the limit for a scheduled function" in failure["errorMessage"]
    wait_for(lambda: server.call("query", "jobs:states") == {"success": 1000})
    notes = server.call("query", "jobs:notes")
    assert sorted(notes, key=int) == [str(number) for number in range(1000)]


def test_arguments_are_checked_when_the_job_runs(server: ServerProcess) -> None:
    server.push_ok(APP)
    job = ended(server, plan(server, "note", wrong=1))
    assert job["state"]["kind"] == "failed"
    assert "ArgumentValidationError" in job["state"]["error"]


def test_actions_end_in_a_state(server: ServerProcess) -> None:
    server.push_ok(APP)
    assert ended(server, plan(server, "work", text="good"))["state"] == {"kind": "success"}
    job = ended(server, plan(server, "work", text="bad"))
    assert job["state"] == {"kind": "failed", "error": "Uncaught ValueError: bad work"}
    assert server.call("query", "jobs:notes") == ["good", "bad"]


def test_canceling(server: ServerProcess) -> None:
    server.push_ok(APP)
    id = plan(server, "note", FAR_MS, text="a")
    server.failure("mutation", "jobs:cancel_but_fail", id=id)
    assert state(server, id) == "pending"
    server.call("mutation", "jobs:cancel", id=id)
    assert ended(server, id)["state"] == {"kind": "canceled"}
    server.call("mutation", "jobs:cancel", id=id)
    done = plan(server, "note", text="b")
    ended(server, done)
    server.call("mutation", "jobs:cancel", id=done)
    assert state(server, done) == "success"
    for foreign in (server.call("mutation", "jobs:some_id"), "no id"):
        failure = server.failure("mutation", "jobs:cancel", id=foreign)
        assert "is not a valid id of a scheduled function" in failure["errorMessage"]


def test_a_canceled_action_ends_and_its_children_do_not_run(server: ServerProcess) -> None:
    server.push_ok(APP)
    id = plan(server, "slow", text="x")
    wait_for(lambda: server.call("query", "jobs:notes") == ["x began"])
    assert state(server, id) == "inProgress"
    server.call("mutation", "jobs:cancel", id=id)
    server.call("mutation", "jobs:open_gate")
    wait_for(lambda: server.call("query", "jobs:notes") == ["x began", "x ended"])
    assert server.call("query", "jobs:states") == {"canceled": 3}
    other = plan(server, "slow", text="y")
    ended(server, other)
    wait_for(lambda: {"y child", "y grandchild"} < set(server.call("query", "jobs:notes")))


def test_a_mutation_that_ends_its_executor_fails_in_the_end(server: ServerProcess) -> None:
    server.push_ok(APP)
    bad, good = plan(server, "dies"), plan(server, "note", text="bystander")
    assert ended(server, good)["state"] == {"kind": "success"}
    job = ended(server, bad)
    assert job["state"]["kind"] == "failed"
    assert "jobs:dies ended its executor" in job["state"]["error"]


def test_jobs_survive_a_restart_and_overdue_ones_run_in_the_order_of_their_times(
    server: ServerProcess,
) -> None:
    server.push_ok(APP)
    now_ms = server.call("query", "jobs:job", id=plan(server, "note", FAR_MS, text="far"))["_creationTime"]
    for number in (3, 1, 2):
        server.call("mutation", "jobs:plan_at", at=now_ms + 1500 + number * 100, text=str(number))
    server.kill()
    # The jobs fall due while there is no server: a fact about the clock, nothing to wait for but it.
    wait_for(lambda: time.time() * 1000 > now_ms + 2000, what="the time of the last job")
    server.start()
    wait_for(lambda: server.call("query", "jobs:notes") == ["1", "2", "3"])
    assert server.call("query", "jobs:states") == {"success": 3, "pending": 1}


def test_an_action_that_was_running_when_the_server_ended_has_failed(server: ServerProcess) -> None:
    server.push_ok(APP)
    id = plan(server, "slow", text="x")
    wait_for(lambda: server.call("query", "jobs:notes") == ["x began"])
    server.kill()
    server.start()
    job = ended(server, id)
    assert job["state"] == {"kind": "failed", "error": "Transient error while executing action"}
    server.call("mutation", "jobs:open_gate")
    after = plan(server, "note", text="after")
    ended(server, after)
    assert server.call("query", "jobs:notes") == ["x began", "after"]


def test_an_app_that_does_not_load_fails_no_jobs(server: ServerProcess, tmp_path: Path) -> None:
    breaking = tmp_path / "broken"
    server.push_ok({"jobs.py": f"{APP['jobs.py']}\nassert not os.path.exists({str(breaking)!r})\n"})
    id = plan(server, "note", 1500, text="late")
    server.kill()
    breaking.touch()
    server.start()
    assert "does not load" in server.errors()
    server.push_ok(APP)
    assert ended(server, id)["state"] == {"kind": "success"}


def test_subscribers_see_states_change(server: ServerProcess) -> None:
    server.push_ok(APP)
    id = plan(server, "note", 200, text="a")
    with SyncSocket(server.url) as socket:
        socket.subscribe(0, "jobs:job", id=id)
        socket.until_result(0, lambda job: job["state"]["kind"] == "pending")
        socket.until_result(0, lambda job: job["state"]["kind"] == "success")


def test_runs_are_in_the_log_with_requests_of_their_own(server: ServerProcess) -> None:
    server.push_ok(APP)
    ended(server, plan(server, "note", text="a"))
    ended(server, plan(server, "breaks"))
    _, answer, _ = server.request("GET", "/api/stream_function_logs?cursor=1", admin=True)
    runs = {entry["identifier"]: entry for entry in answer["entries"] if entry["caller"] == "Scheduler"}
    assert runs.keys() == {"jobs:note", "jobs:breaks"}
    assert runs["jobs:note"]["logLines"][0]["messages"] == ["noting a"]
    assert runs["jobs:note"]["error"] is None
    assert "broken on purpose" in runs["jobs:breaks"]["error"]
    ids = [entry["requestId"] for entry in answer["entries"]]
    assert len(set(ids)) == len(ids)
