"""Rolling back: a kept version is live again with its code, schema, indexes, routes and crons, or nothing has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

from convexpy.limits import KEPT_VERSIONS_MAX

StartServer = Callable[..., ServerProcess]

CODE = """
from convexpy import mutation, query

@query
def version(ctx) -> str:
    return "VERSION"

@mutation
def add(ctx, group: int) -> None:
    ctx.db.insert("items", {"group": group})

@query
def by_index(ctx) -> list[int]:
    return [item["group"] for item in ctx.db.query("items").with_index("by_VERSION")]
"""
SCHEMA = """
from convexpy import define_schema, define_table, v
schema = define_schema({"items": define_table({"group": v.number()EXTRA}).index("by_VERSION", ["group"])})
"""
HTTP = """
from convexpy import Response, http_router
http = http_router()
@http.route("/VERSION", method="GET")
async def served(ctx, request):
    return Response("VERSION")
"""
CRONS = """
from convexpy import cron_jobs, internal_mutation
@internal_mutation
def tick(ctx) -> None: ...
crons = cron_jobs()
crons.interval("job VERSION", tick, hours=1)
"""


def app(version: str, extra: str = "") -> dict[str, str]:
    """Return the files of a version that differs from others in everything that a version has."""
    files = {"fn.py": CODE, "schema.py": SCHEMA.replace("EXTRA", extra), "http.py": HTTP, "crons.py": CRONS}
    return {name: text.replace("VERSION", version) for name, text in files.items()}


def roll_back(server: ServerProcess, number: int, **fields: Any) -> tuple[int, dict[str, Any]]:
    """Ask for a version to be brought back."""
    body = {"modules": {}, "rollback": number, **fields}
    status, answer, _ = server.request("POST", "/api/convexpy/push", body, admin=True)
    return status, answer


def pushes(server: ServerProcess) -> list[dict[str, Any]]:
    """Return the history, the newest first."""
    found: list[dict[str, Any]] = server.request("GET", "/api/convexpy/history?limit=200", admin=True)[1][
        "pushes"
    ]
    return found


def assert_whole(server: ServerProcess, version: str) -> None:
    """Hold every part of the live version against its name."""
    assert server.call("query", "fn:version") == version
    assert server.call("query", "fn:by_index") == [1, 2, 3]
    live = server.request("GET", "/api/convexpy/functions", admin=True)[1]
    indexes = live["schema"]["tables"]["items"]["indexes"]
    assert [index["name"] for index in indexes] == [f"by_{version}"]
    assert [job["name"] for job in live["crons"]] == [f"job {version}"]
    for name in ("a", "b"):
        assert server.request("GET", f"/http/{name}")[0] == (200 if name == version else 404)


@pytest.fixture
def two(server: ServerProcess) -> ServerProcess:
    """A server on which version `a`, three documents and then version `b` came."""
    server.push_ok(
        app("a"), note={"message": "the first", "commit": "a" * 40, "branch": "main", "dirty": True}
    )
    for group in (3, 1, 2):
        server.call("mutation", "fn:add", group=group)
    server.push_ok(app("b"), note={"message": "the second"})
    return server


def test_a_version_comes_back_whole_and_the_history_says_so(two: ServerProcess) -> None:
    first = pushes(two)[1]
    assert (first["kept"], first["state"]) == (True, "past")
    status, answer = roll_back(two, first["version"], note={"message": "undo", "actor": "Ada"})
    assert status == 200, answer
    assert_whole(two, "a")
    newest = pushes(two)[0]
    assert newest["version"] == answer["version"] == first["version"] + 2
    assert newest["rollbackOf"] == first["version"]
    assert newest["contentHash"] == first["contentHash"] != pushes(two)[1]["contentHash"]
    assert (newest["message"], newest["actor"]) == ("undo", "Ada")
    assert (newest["commit"], newest["branch"], newest["dirty"]) == ("a" * 40, "main", True)
    two.stop()
    two.start()
    assert_whole(two, "a")
    status, answer = roll_back(two, newest["version"] - 1)
    assert status == 200, answer
    assert_whole(two, "b")


def test_a_dry_run_plans_and_changes_nothing(two: ServerProcess) -> None:
    before = pushes(two)
    status, answer = roll_back(two, before[1]["version"], dryRun=True, largeTableDocuments=0)
    assert status == 200, answer
    named = {(change["area"], change["kind"], change["name"]) for change in answer["plan"]["changes"]}
    assert {
        ("indexes", "added", "items.by_a"),
        ("indexes", "removed", "items.by_b"),
        ("crons", "removed", "job b"),
        ("crons", "added", "job a"),
    } <= named
    assert answer["plan"]["blocked"][0]["code"] == "ConsentRequired"
    assert pushes(two) == before
    assert_whole(two, "b")


def test_documents_that_do_not_fit_the_older_schema_keep_the_newer_version(server: ServerProcess) -> None:
    server.push_ok(app("a"))
    for group in (3, 1, 2):
        server.call("mutation", "fn:add", group=group)
    widened = {**app("b", ', "note": v.optional(v.string())'), "more.py": MORE}
    server.push_ok(widened)
    server.call("mutation", "more:note")
    status, answer = roll_back(server, pushes(server)[1]["version"])
    assert (status, answer["code"]) == (400, "SchemaMismatch")
    assert server.call("query", "fn:version") == "b"
    server.call("mutation", "more:undo")
    assert roll_back(server, pushes(server)[1]["version"])[0] == 200
    assert_whole(server, "a")


MORE = """
from convexpy import mutation
@mutation
def note(ctx):
    ctx.db.patch(ctx.db.query("items").first()["_id"], {"note": "x"})
@mutation
def undo(ctx):
    item = ctx.db.query("items").first()
    ctx.db.replace(item["_id"], {"group": item["group"]})
"""


def test_what_is_not_kept_is_refused_by_name(server: ServerProcess) -> None:
    status, answer = roll_back(server, 7)
    assert (status, answer["code"], answer["retryOn"]) == (404, "VersionNotKept", "never")
    for number in range(KEPT_VERSIONS_MAX + 2):
        server.push_ok({"fn.py": f"from convexpy import query\n@query\ndef get(ctx):\n    return {number}\n"})
    history = pushes(server)
    assert [entry["kept"] for entry in history] == [True] * KEPT_VERSIONS_MAX + [False, False]
    status, answer = roll_back(server, history[-1]["version"])
    assert (status, answer["code"]) == (404, "VersionNotKept")
    assert f"those kept are {history[0]['version']}, " in answer["message"]
    server.stop()
    server.start()
    oldest = history[KEPT_VERSIONS_MAX - 1]["version"]
    assert roll_back(server, oldest)[0] == 200
    assert server.call("query", "fn:get") == 2


def test_a_push_that_came_in_between_is_not_undone_unseen(two: ServerProcess) -> None:
    history = pushes(two)
    status, answer = roll_back(two, history[1]["version"], expected=history[1]["version"])
    assert (status, answer["code"]) == (409, "PushSuperseded")
    assert_whole(two, "b")


MOMENTS = [
    "push.loaded=kill",
    "push.checked=kill",
    "push.begun=kill",
    "walk.before_enter=kill",
    "checkpoint.before_commit=kill",
    "push.walked=kill",
    "push.before_activate=kill",
    "push.activated=kill",
    "committer.before_append=kill",
    "committer.after_append=kill",
    "committer.before_append=kill@2",
    "committer.after_append=kill@2",
]


@pytest.mark.slow
def test_kill_9_at_any_moment_of_a_rollback_leaves_one_version_whole(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server()
    server.push_ok(app("a"))
    for group in (3, 1, 2):
        server.call("mutation", "fn:add", group=group)
    server.push_ok(app("b"))
    server.stop()
    seen = set[bool]()
    for moment in MOMENTS:
        with contextlib.suppress(AssertionError):
            server.start(env={"CONVEXPY_PAUSE": moment})  # some moments come before the server is ready
        with contextlib.suppress(OSError):
            live = server.call("query", "fn:version")
            assert_whole(server, live)
            other = next(
                each for each in pushes(server) if each["contentHash"] != pushes(server)[0]["contentHash"]
            )
            roll_back(server, other["version"])
            raise AssertionError(f"{moment} did not come")
        wait_for(lambda: server.process.poll() is not None, what=f"the end of the server at {moment}")
        server.close()
        server.start(env={})
        after = server.call("query", "fn:version")
        assert_whole(server, after)
        seen.add(after == live)
        server.stop()
    assert seen == {True, False}
