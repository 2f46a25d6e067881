"""Cron jobs on a real server: when they run, what a push changes, what a restart leaves."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

TASKS = """
from convexpy import ActionCtx, MutationCtx, QueryCtx, SyncActionCtx, internal_action, internal_mutation, mutation, query

@internal_mutation
def note(ctx: MutationCtx, text: str = "") -> None:
    ctx.db.insert("notes", {"text": text})

@internal_mutation
def breaks(ctx: MutationCtx) -> None:
    ctx.db.insert("notes", {"text": "never"})
    raise ValueError("broken on purpose")

@internal_action
def slow(ctx: SyncActionCtx) -> None:
    import time
    ctx.run_mutation(note, text="began")
    while not ctx.run_query(is_open):
        time.sleep(0.01)

@query
def is_open(ctx: QueryCtx) -> bool:
    return ctx.db.query("gate").first() is not None

@mutation
def open_gate(ctx: MutationCtx) -> None:
    ctx.db.insert("gate", {})

@query
def notes(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in ctx.db.query("notes")]

@query
def jobs(ctx: QueryCtx) -> int:
    return ctx.db.system.query("_scheduled_functions").count()
"""


def app(*lines: str) -> dict[str, str]:
    head = ["from convexpy import cron_jobs, internal", "from . import tasks", "crons = cron_jobs()"]
    return {"tasks.py": TASKS, "crons.py": "\n".join([*head, *lines, ""])}


def listed(server: ServerProcess) -> dict[str, dict[str, Any]]:
    return _listed(server, "_system/crons:list")


def _listed(server: ServerProcess, path: str, format: str = "json") -> dict[str, dict[str, Any]]:
    body = {"path": path, "args": {}, "format": format}
    status, answer, _ = server.request("POST", "/api/query", body, admin=True)
    assert status == 200, answer
    assert answer["status"] == "success", answer
    return {cron["name"]: cron for cron in answer["value"]}


def history(server: ServerProcess, name: str) -> list[dict[str, Any]]:
    body = {"path": "_system/crons:history", "args": {"name": name}}
    _, answer, _ = server.request("POST", "/api/query", body, admin=True)
    found: list[dict[str, Any]] = answer["value"]
    return found


def test_all_kinds_are_listed_with_their_runs(server: ServerProcess) -> None:
    answer = server.push_ok(
        app(
            'crons.interval("poll", tasks.note, {"text": "polled"}, seconds=1)',
            'crons.hourly("hour", tasks.note, minute_utc=0)',
            'crons.daily("day", internal.tasks.note, hour_utc=3)',
            'crons.weekly("week", "tasks:slow", day_of_week="sunday", hour_utc=3, minute_utc=7)',
            'crons.monthly("month", tasks.note, day=31, hour_utc=3, minute_utc=7)',
            'crons.cron("expression", "*/5 * * * *", tasks.breaks)',
        )
    )
    assert answer["warnings"] == []
    assert answer["changes"]["crons"]["added"] == sorted(
        ["poll", "hour", "day", "week", "month", "expression"]
    )
    began = time.monotonic()
    wait_for(lambda: len(server.call("query", "tasks:notes")) >= 3)
    assert time.monotonic() - began > 1.5
    crons = listed(server)
    now_ms = time.time() * 1000
    poll = crons["poll"]
    assert poll["cronSpec"] == {"type": "interval", "seconds": 1}
    assert (poll["function"], poll["args"]) == ("tasks:note", {"text": "polled"})
    assert poll["lastRun"]["status"] == {"kind": "success"}
    assert now_ms - 5000 < poll["lastRun"]["ts"] < poll["nextRun"] <= now_ms + 1000
    assert crons["hour"]["lastRun"] is None
    assert crons["hour"]["nextRun"] % 3_600_000 == 0
    assert 0 <= crons["day"]["cronSpec"]["minuteUTC"] < 60
    assert all(now_ms < crons[name]["nextRun"] for name in crons if name != "poll")
    assert len(history(server, "poll")) >= 3
    check_documents(_listed(server, "_system/frontend/listCronJobs", "convex_encoded_json"), poll)
    assert server.call("query", "tasks:jobs") == 0
    _, answer, _ = server.request("GET", "/api/stream_function_logs?cursor=1", admin=True)
    assert "Cron" in {entry["caller"] for entry in answer["entries"] if entry["identifier"] == "tasks:note"}


def check_documents(crons: dict[str, dict[str, Any]], poll: dict[str, Any]) -> None:
    """The form in which the official dashboard and its suites read cron jobs."""

    def number(encoded: dict[str, str]) -> int:
        return int.from_bytes(base64.b64decode(encoded["$integer"]), "little", signed=True)

    spec = crons["poll"]["cronSpec"]
    assert spec["udfPath"] == "tasks.js:note"
    assert json.loads(base64.b64decode(spec["udfArgs"]["$bytes"])) == [{"text": "polled"}]
    schedules = {name: cron["cronSpec"]["cronSchedule"] for name, cron in crons.items()}
    assert {name: each["type"] for name, each in schedules.items()} == {
        "poll": "interval", "hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly", "expression": "cron",
    }  # fmt: skip
    assert number(schedules["poll"]["seconds"]) == 1
    assert {name: number(value) for name, value in schedules["week"].items() if name != "type"} == {
        "dayOfWeek": 0, "hourUTC": 3, "minuteUTC": 7,
    }  # fmt: skip
    assert schedules["expression"]["cronExpr"] == "*/5 * * * *"
    last, following = crons["poll"]["lastRun"], crons["poll"]["nextRun"]
    assert (last["name"], last["udfPath"], last["status"]["type"]) == ("poll", "tasks.js:note", "success")
    assert following["cronJobId"] == crons["poll"]["_id"]
    assert following["state"]["type"] in ("pending", "inProgress")
    assert number(following["prevTs"]) == number(last["ts"]) < number(following["nextTs"])
    assert abs(number(following["nextTs"]) / 1e6 - poll["nextRun"]) < 60_000
    assert crons["hour"]["lastRun"] is None


def test_failed_runs_are_remembered_and_the_next_one_comes(server: ServerProcess) -> None:
    server.push_ok(app('crons.interval("bad", tasks.breaks, seconds=1)'))
    wait_for(lambda: listed(server)["bad"]["failuresInARow"] >= 2)
    assert listed(server)["bad"]["lastRun"]["status"] == {
        "kind": "failed",
        "error": "Uncaught ValueError: broken on purpose",
    }
    assert server.call("query", "tasks:notes") == []


def test_runs_do_not_overlap_and_late_ones_are_skipped_with_a_log_line(server: ServerProcess) -> None:
    server.push_ok(app('crons.interval("slow", tasks.slow, seconds=1)'))
    wait_for(lambda: server.call("query", "tasks:notes") == ["began"])
    planned = listed(server)["slow"]["nextRun"]
    wait_for(lambda: time.time() * 1000 > planned + 2500, what="the time of two more runs")
    assert server.call("query", "tasks:notes") == ["began"]
    server.call("mutation", "tasks:open_gate")
    wait_for(lambda: "skipped" in [entry["status"]["kind"] for entry in history(server, "slow")])
    (skip,) = [entry for entry in history(server, "slow") if entry["status"]["kind"] == "skipped"]
    assert skip["status"]["count"] >= 2

    def logged() -> bool:
        _, answer, _ = server.request("GET", "/api/stream_function_logs?cursor=1", admin=True)
        lines = [line for entry in answer["entries"] for line in entry["logLines"]]
        return any("skipped" in line["messages"][0] and line["level"] == "WARN" for line in lines)

    wait_for(logged)
    wait_for(lambda: len(server.call("query", "tasks:notes")) > 1)


def test_a_push_leaves_other_schedules_alone(server: ServerProcess) -> None:
    kept = 'crons.interval("kept", tasks.note, {"text": "%s"}, hours=1)'
    gone = 'crons.interval("gone", tasks.note, {"text": "gone"}, seconds=1)'
    changed = 'crons.daily("changed", tasks.note, hour_utc=%d, minute_utc=0)'
    server.push_ok(app(kept % "a", gone, changed % 3))
    wait_for(lambda: {"a", "gone"} <= set(server.call("query", "tasks:notes")))
    before = listed(server)
    answer = server.push_ok(app(kept % "b", changed % 4))
    assert answer["changes"]["crons"] == {"added": [], "removed": ["gone"], "changed": ["changed", "kept"]}
    after = listed(server)
    assert after.keys() == {"kept", "changed"}
    assert after["kept"]["nextRun"] == before["kept"]["nextRun"]
    assert after["kept"]["lastRun"] == before["kept"]["lastRun"]
    assert after["kept"]["args"] == {"text": "b"}
    assert after["changed"]["nextRun"] != before["changed"]["nextRun"]
    count = server.call("query", "tasks:notes").count("gone")
    settled = time.time() + 1.5
    wait_for(lambda: time.time() > settled, what="the time of another run")
    assert server.call("query", "tasks:notes").count("gone") <= count + 1  # one may have been on its way
    assert history(server, "gone") == []


def test_after_a_pause_one_run_makes_up_for_all(server: ServerProcess) -> None:
    server.push_ok(app('crons.interval("poll", tasks.note, seconds=1)'))
    wait_for(lambda: len(server.call("query", "tasks:notes")) == 1)
    server.kill()
    resumes = time.time() + 3
    wait_for(lambda: time.time() > resumes, what="the times of three runs")
    server.start()
    wait_for(lambda: "skipped" in [entry["status"]["kind"] for entry in history(server, "poll")])
    assert len(server.call("query", "tasks:notes")) <= 4


def test_an_interrupted_run_has_failed_and_the_next_one_comes(server: ServerProcess) -> None:
    server.push_ok(app('crons.interval("slow", tasks.slow, seconds=1)'))
    wait_for(lambda: server.call("query", "tasks:notes") == ["began"])
    server.kill()
    server.start()
    wait_for(lambda: server.call("query", "tasks:notes") == ["began"] * 2)
    statuses = [entry["status"] for entry in history(server, "slow")]
    assert {"kind": "failed", "error": "Transient error while executing action"} in statuses


def test_a_query_by_name_is_warned_of(server: ServerProcess) -> None:
    answer = server.push_ok(app('crons.hourly("x", "tasks:notes")'))
    assert answer["warnings"] == [
        "convex/crons.py:4: cron job 'x' fails at every run: tasks:notes is a query"
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('crons.cron("x", "61 * * * *", tasks.note)', "is not a valid cron expression: minute '61'"),
        ('crons.cron("x", "* * * *", tasks.note)', "it has 4 fields"),
        ('crons.interval("x", tasks.note, seconds=0.1)', "between one second and ten years"),
        ('crons.hourly("x", tasks.note); crons.hourly("x", tasks.note)', "two cron jobs are called 'x'"),
        ('crons.hourly("x", internal.tasks.nothing)', "there is no function tasks:nothing"),
        ('crons.hourly("x", tasks.notes)', "is a query, only mutations and actions"),
    ],
)
def test_wrong_definitions_fail_the_push_at_their_line(
    module_server: ServerProcess, line: str, words: str
) -> None:
    status, answer = module_server.push(app("", line))
    assert status == 400
    assert words in answer["message"]
    assert answer["location"]["file"] == "convex/crons.py"
    assert answer["location"]["line"] == 5
    assert listed(module_server) == {}
