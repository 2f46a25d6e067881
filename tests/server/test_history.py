"""Queries at an earlier timestamp: every read as it was then, through checkpoints, restarts and races; never a mixture."""

from __future__ import annotations

import base64
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "notes": define_table({"text": v.string(), "rank": v.number()}).index("by_rank", ["rank"]).index("by_text", ["text", "rank"])
})
""",
    "fn.py": """
from convexpy import MutationCtx, QueryCtx, mutation, query

@query
def everything(ctx: QueryCtx, ids: list[str]):
    notes = ctx.db.query("notes")
    ranked = ctx.db.query("notes").with_index("by_rank").order("desc").collect()
    first = ctx.db.query("notes").with_index("by_rank", lambda q: q.gte("rank", 3)).first()
    page = ctx.db.query("notes").with_index("by_text").paginate({"numItems": 5, "cursor": None})
    return {
        "all": notes.collect(),
        "count": ctx.db.query("notes").count(),
        "ranked": ranked,
        "first": first,
        "equal": ctx.db.query("notes").with_index("by_text", text="b").collect(),
        "page": page["page"],
        "got": [ctx.db.get(id) for id in ids],
    }

@mutation
def change(ctx: MutationCtx, steps: list[dict]) -> list[str]:
    made = []
    for step in steps:
        kind = step.pop("kind")
        id = step.pop("id", None)
        if kind == "insert":
            made.append(ctx.db.insert("notes", step))
        elif kind == "patch":
            ctx.db.patch(id, step)
        else:
            ctx.db.delete(id)
    return made

@query
def counter(ctx: QueryCtx):
    found = ctx.db.query("notes").collect()
    return [len(found), sum(note["rank"] for note in found)]

@mutation
def move(ctx: MutationCtx) -> None:
    notes = ctx.db.query("notes").collect()
    ctx.db.patch(notes[0]["_id"], {"rank": notes[0]["rank"] - 1})
    ctx.db.patch(notes[1]["_id"], {"rank": notes[1]["rank"] + 1})
""",
}


def now(server: ServerProcess) -> str:
    return str(server.request("POST", "/api/query_ts", raw=b"")[1]["ts"])


def at(server: ServerProcess, ts: str, path: str, **args: Any) -> tuple[int, Any]:
    return server.request("POST", "/api/query_at_ts", {"path": path, "args": args, "ts": ts})[:2]


@pytest.mark.sqlite
def test_every_moment_reads_as_it_was(server: ServerProcess) -> None:
    server.push_ok(APP)
    chance = random.Random(7)
    ids: list[str] = []
    gone: list[str] = []
    moments: list[tuple[str, Any]] = []

    def look() -> None:
        everything = server.call("query", "fn:everything", ids=[*ids, *gone])
        moments.append((now(server), ([*ids, *gone], everything)))

    def change() -> None:
        steps: list[dict[str, Any]] = []
        live = list(ids)
        for _ in range(chance.randrange(1, 4)):
            kind = chance.choice(["insert", "insert", "patch", "patch", "delete"])
            if kind == "insert" or not live:
                steps.append({"kind": "insert", "text": chance.choice("abc"), "rank": chance.randrange(6)})
            elif kind == "patch":
                field = chance.choice([{"rank": chance.randrange(6)}, {"text": chance.choice("abc")}])
                steps.append({"kind": "patch", "id": chance.choice(live), **field})
            else:
                id = live.pop(chance.randrange(len(live)))
                ids.remove(id)
                gone.append(id)
                steps.append({"kind": "delete", "id": id})
        ids.extend(server.call("mutation", "fn:change", steps=steps))

    def check() -> None:
        for ts, (asked, expected) in moments:
            status, answer = at(server, ts, "fn:everything", ids=asked)
            assert (status, answer.get("value")) == (200, expected), answer

    for _ in range(40):
        change()
        look()
    check()
    # The checkpoint covers all by now, and the executors have forgotten it.
    data = server.data / "data.db"
    size = data.stat().st_mtime_ns
    wait_for(lambda: data.stat().st_mtime_ns != size or (server.data / "data.db-wal").stat().st_size > 0)
    server.kill()
    server.start()
    check()
    for _ in range(10):
        change()
        look()
    check()


def test_moments_under_load_are_whole(server: ServerProcess) -> None:
    server.push_ok(APP)
    server.call("mutation", "fn:change", steps=[{"kind": "insert", "text": "a", "rank": 0}] * 2)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            server.call("mutation", "fn:move")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(60):
            ts = now(server)
            first = at(server, ts, "fn:everything", ids=[])[1]["value"]
            assert at(server, ts, "fn:counter")[1]["value"] == [2, 0]
            assert at(server, ts, "fn:everything", ids=[])[1]["value"] == first
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_what_is_not_kept_says_so(start_server: Any, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text("[limits]\nlog-rows-kept = 0\nhistory-s = 0\ncheckpoint-idle-s = 0.05\n")
    server: ServerProcess = start_server("--config", str(limits))
    server.push_ok(APP)
    server.call("mutation", "fn:change", steps=[{"kind": "insert", "text": "a", "rank": 0}])
    ts = now(server)

    def is_lost() -> bool:
        server.call("mutation", "fn:change", steps=[{"kind": "insert", "text": "a", "rank": 0}])
        status, answer = at(server, ts, "fn:counter")
        assert status == 200 or (status, answer["code"]) == (503, "OutOfRetention")
        return status == 503

    wait_for(is_lost)


def test_no_moment_before_a_push_or_a_change_of_variables(server: ServerProcess) -> None:
    server.push_ok(APP)
    ts = now(server)
    server.push_ok({**APP, "more.py": "x = 1"})
    assert at(server, ts, "fn:counter")[1]["code"] == "OutOfRetention"
    ts = now(server)
    body = {"changes": [{"name": "A", "value": "b"}]}
    assert server.request("POST", "/api/update_environment_variables", body, admin=True)[0] == 200
    assert at(server, ts, "fn:counter")[1]["code"] == "OutOfRetention"
    future = base64.b64encode(
        (int.from_bytes(base64.b64decode(ts), "little") + 10**15).to_bytes(8, "little")
    ).decode()
    assert at(server, future, "fn:counter")[1]["code"] == "TimestampInFuture"
