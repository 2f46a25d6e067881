"""What a push would do, said before it is done; and what a deploy is held against: data, consents, other pushes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

StartServer = Callable[..., ServerProcess]

FUNCTIONS = """
import os
from convexpy import internal_query, mutation, query, v

@query
def version(ctx) -> str:
    return "first"

@query
def listed(ctx, limit: int = 10):
    return ctx.db.query("notes").take(limit)

@mutation
def add(ctx, text: str, n: int | None = None):
    fields = {"text": text} if n is None else {"text": text, "n": n}
    return ctx.db.insert("notes", fields)

@query
def setting(ctx):
    return os.environ.get("SETTING")
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string(), "n": v.optional(v.number())})
    .index("by_text", ["text"]).index("by_n", ["n"])})
"""
CRONS = """
from convexpy import Crons, internal

crons = Crons()
crons.interval("tidy", "notes:add", {"text": "cron"}, minutes=5)
"""
APP = {"notes.py": FUNCTIONS, "schema.py": SCHEMA}
NO_N_INDEX = SCHEMA.replace('.index("by_n", ["n"])', "")
STRICT = SCHEMA.replace("v.optional(v.number())", "v.number()")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for tests that only plan, or leave the first version live."""
    server = ServerProcess(tmp_path_factory.mktemp("plan") / "data")
    server.push_ok(APP)
    for n in range(7):
        server.call("mutation", "notes:add", text=f"note {n}", n=n)
    odd = [server.call("mutation", "notes:add", text="odd") for _ in range(6)]
    assert len(odd) == 6
    yield server
    server.close()


def plan(server: ServerProcess, modules: dict[str, str], **options: Any) -> dict[str, Any]:
    """Return the plan of a push."""
    found: dict[str, Any] = server.push_ok(modules, dryRun=True, **options)["plan"]
    return found


def changes(plan: dict[str, Any], area: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the changes of an area by kind and name."""
    return {(each["kind"], each["name"]): each for each in plan["changes"] if each["area"] == area}


def get(server: ServerProcess, path: str) -> Any:
    """Return what an admin route answers."""
    status, answer, _ = server.request("GET", path, admin=True)
    assert status == 200, answer
    return answer


def test_functions_with_their_differences_and_calls(shared: ServerProcess) -> None:
    before = {
        each["path"]: each["calls"] for each in get(shared, "/api/convexpy/functions/stats")["functions"]
    }
    for _ in range(3):
        shared.call("query", "notes:version")
    text = FUNCTIONS.replace("def version(ctx) -> str", "def renamed(ctx) -> str")
    text = text.replace(
        "text: str, n: int | None = None", "text: str, n: int | None = None, tag: str | None = None"
    )
    found = plan(shared, {**APP, "notes.py": text})
    functions = changes(found, "functions")
    calls = before.get("notes:version", 0) + 3
    assert functions["added", "notes:renamed"]["detail"] == "public query"
    removed = functions["removed", "notes:version"]
    assert (removed["calls"], removed["consent"]) == (calls, "function-removal:notes:version")
    assert removed["detail"] == f"public · {calls} calls in 24 h"
    changed = functions["changed", "notes:add"]
    assert changed["detail"] == "args: + tag?: string | null"
    assert "tag?: string | null" in changed["after"]
    assert "tag" not in changed["before"]
    assert [block["code"] for block in found["blocked"]] == ["ConsentRequired"]
    assert found["blocked"][0]["hint"] == "--allow=function-removal:notes:version"
    relaxed = plan(shared, {**APP, "notes.py": text}, production=False)
    assert relaxed["blocked"] == []
    for given in ("function-removal", "function-removal:notes:version"):
        assert plan(shared, {**APP, "notes.py": text}, allow=[given])["blocked"] == []
    assert plan(shared, {**APP, "notes.py": text}, allow=["function-removal:notes:other"])["blocked"]


def test_indexes_with_the_documents_of_their_tables(shared: ServerProcess) -> None:
    schema = NO_N_INDEX.replace('["text"])', '["text", "n"]).index("by_both", ["n", "text"])')
    found = changes(plan(shared, {**APP, "schema.py": schema}), "indexes")
    assert found["added", "notes.by_both"]["detail"] == "build over ~13 documents"
    assert found["removed", "notes.by_n"]["documents"] == 13
    assert found["removed", "notes.by_n"]["consent"] is None
    assert "rebuilt" in found["removed", "notes.by_text"]["detail"]
    large = plan(shared, {**APP, "schema.py": schema}, largeTableDocuments=12)
    assert changes(large, "indexes")["removed", "notes.by_n"]["consent"] == "index-drop:notes.by_n"
    assert set(large["blocked"][0]["data"]["consents"]) == {
        "index-drop:notes.by_n",
        "index-drop:notes.by_text",
    }


def test_schema_crons_and_modules(shared: ServerProcess) -> None:
    schema = SCHEMA.replace(
        '"text": v.string()', '"text": v.union(v.string(), v.null()), "tag": v.optional(v.id("tags"))'
    )
    schema = schema.replace("define_schema({", 'define_schema({"tags": define_table({"name": v.string()}), ')
    found = plan(shared, {**APP, "schema.py": schema, "crons.py": CRONS, "data/words.txt": "a"})
    tables = changes(found, "schema")
    assert tables["changed", "notes.text"]["detail"] == "null added to union"
    assert tables["added", "notes.tag"]["detail"] == "tag?: Id<tags>"
    assert tables["added", "tags"]["documents"] == 0
    assert changes(found, "crons")["added", "tidy"]["detail"] == "every 300 s notes:add"
    assert {"crons.py", "data/words.txt", "schema.py"} == {name for _, name in changes(found, "modules")}
    assert found["data"] == "ok"
    gone = plan(shared, {"notes.py": FUNCTIONS, "schema.py": schema.replace('"notes": ', '"other": ')})
    assert changes(gone, "schema")["removed", "notes"]["detail"] == "table · 13 documents kept"


def test_documents_that_do_not_fit_are_counted_and_named(shared: ServerProcess) -> None:
    found = plan(shared, {**APP, "schema.py": STRICT})
    assert found["data"] == "failed"
    block = found["blocked"][0]
    assert block["code"] == "SchemaMismatch"
    assert block["data"]["tables"][0]["count"] == 6
    assert len(block["data"]["documents"]) == 5
    assert block["message"].startswith('6 documents in "notes" do not fit the new schema: notes/')
    assert "`n`" in block["message"]


def test_variables_that_are_missing(shared: ServerProcess) -> None:
    found = plan(
        shared, {**APP, "x.py": "y = 1"}, required=["NEEDED"], reads=["NEEDED", "MAYBE", "CONVEX_SITE_URL"]
    )
    assert set(changes(found, "env")) == {("missing", "NEEDED"), ("unset", "MAYBE")}
    assert found["blocked"][0]["code"] == "EnvMissing"
    given = [{"name": "NEEDED", "value": "secret value"}]
    found = plan(shared, {**APP, "x.py": "y = 1"}, required=["NEEDED"], environment=given)
    assert set(changes(found, "env")) == {("added", "NEEDED")}
    assert "secret value" not in str(found)
    status, answer = shared.push({**APP, "x.py": "y = 1"}, required=["NEEDED"])
    assert (status, answer["code"], answer["retryOn"]) == (400, "EnvMissing", "env")


def contents(server: ServerProcess) -> tuple[dict[str, list[Any]], int]:
    """Stop the server; return all stored rows but the log, and the number of the last commit."""
    server.stop()
    rows: dict[str, list[Any]] = {}
    with contextlib.closing(
        sqlite3.connect(f"file:{server.data / 'data.db'}?mode=ro", uri=True)
    ) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            rows[name] = sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))
    (checkpoint,) = (row for row in rows.pop("_meta") if "checkpoint_seq" in row)
    server.start()
    return rows, int(re.findall(r"\d+", checkpoint)[0])


@pytest.mark.sqlite
def test_a_plan_changes_nothing(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(APP)
    server.call("mutation", "notes:add", text="only")
    contents(server)  # the first start after a push tidies up
    rows, commits = contents(server)
    rows_again, commits_again = contents(server)
    assert rows_again == rows
    text = FUNCTIONS.replace("first", "second")
    given = [{"name": "SETTING", "value": "on"}]
    assert plan(server, {"notes.py": text, "schema.py": NO_N_INDEX, "crons.py": CRONS}, environment=given)
    assert plan(server, {"notes.py": text, "schema.py": STRICT})["blocked"]
    assert server.call("query", "notes:version") == "first"
    rows_after, commits_after = contents(server)
    assert rows_after == rows
    # A start makes a commit of its own; the plans made none.
    assert commits_after - commits_again == commits_again - commits


def test_a_push_is_held_against_its_consents(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(APP)
    server.call("mutation", "notes:add", text="only")
    smaller = {**APP, "schema.py": NO_N_INDEX}
    status, answer = server.push(smaller, allow=[], largeTableDocuments=0)
    assert (status, answer["code"]) == (400, "ConsentRequired")
    assert answer["hint"] == "--allow=index-drop:notes.by_n"
    assert server.push(smaller, allow=["index-drop:notes.by_text"], largeTableDocuments=0)[0] == 400
    assert server.push(smaller, allow=["index-drop:notes.by_n"], largeTableDocuments=0)[0] == 200


def test_a_staged_index_is_not_thrown_away_without_consent(start_server: StartServer) -> None:
    server = start_server()
    staged = SCHEMA.replace('["n"])', '["n"], staged=True)')
    server.push_ok({**APP, "schema.py": staged})
    status, answer = server.push({**APP, "schema.py": NO_N_INDEX}, allow=[])
    assert (status, answer["hint"]) == (400, "--allow=staged-drop:notes.by_n")
    server.push_ok({**APP, "schema.py": NO_N_INDEX}, allow=["staged-drop"])


def test_an_index_can_be_staged_by_the_push_and_enabled_by_the_next(start_server: StartServer) -> None:
    server = start_server()
    bare = {**APP, "schema.py": NO_N_INDEX}
    server.push_ok(bare)
    server.call("mutation", "notes:add", text="a", n=1)
    reader = "from convexpy import query\n@query\ndef ns(ctx):\n    return [d['n'] for d in ctx.db.query('notes').with_index('by_n')]"
    full = {**APP, "reader.py": reader}
    server.push_ok(full, config={"stagedIndexes": ["notes.by_n"]})
    assert "staged" in server.failure("query", "reader:ns")["errorMessage"]
    server.stop()
    server.start()
    assert "staged" in server.failure("query", "reader:ns")["errorMessage"]
    assert changes(plan(server, full), "indexes")["changed", "notes.by_n"]
    server.push_ok(full)
    assert server.call("query", "reader:ns") == [1]


def test_a_push_made_against_an_older_version_is_superseded(start_server: StartServer) -> None:
    server = start_server()
    first = server.push_ok(APP)["version"]
    second = {**APP, "notes.py": FUNCTIONS.replace("first", "second")}
    note = {"actor": "Ada", "commit": "9bd0e77aaaa", "message": "faster"}
    server.push_ok(second, expected=first, note=note)
    third = {**APP, "notes.py": FUNCTIONS.replace("first", "third")}
    status, answer = server.push(third, expected=first)
    assert (status, answer["code"], answer["retryOn"]) == (409, "PushSuperseded", "never")
    assert "Ada" in answer["message"]
    assert "9bd0e77aaaa" in answer["message"]
    assert answer["data"]["pushedAt"] > 1e12
    assert server.push_ok(second, expected=first)["unchanged"]  # sent again since the answer was lost
    assert server.call("query", "notes:version") == "second"
    server.stop()
    server.start()
    pushes = get(server, "/api/convexpy/history")["pushes"]
    assert [(each["version"], each["state"]) for each in pushes] == [(first + 1, "active"), (first, "past")]
    assert (pushes[0]["actor"], pushes[0]["message"], pushes[1]["actor"]) == ("Ada", "faster", "")
    assert get(server, "/api/convexpy/status")["live"]["commit"] == "9bd0e77aaaa"


def test_a_plan_waits_for_a_push_that_is_under_way(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    first = server.push_ok(APP)["version"]
    begun = tmp_path / "begun"
    slow = {
        **APP,
        "slow.py": f"import threading\nopen({str(begun)!r}, 'w').close()\nthreading.Event().wait(1)",
    }
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(server.push_ok, slow, note={"actor": "Ada"})
        wait_for(begun.exists, what="the push under way")
        refused = server.push(APP)[1]
        assert "by Ada" in refused["message"]
        planned = server.push_ok({**APP, "other.py": "x = 1"}, dryRun=True)
        version = pushing.result()["version"]
    assert version > first
    assert planned["from"]["version"] == version


def test_variables_are_set_in_the_moment_of_the_switch(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(APP)
    given = [{"name": "SETTING", "value": "on"}]
    refused = {**APP, "bad.py": "def f("}
    assert server.push(refused, environment=given)[0] == 400
    assert server.call("query", "notes:setting") is None
    server.push_ok({**APP, "more.py": "x = 1"}, environment=given)
    assert server.call("query", "notes:setting") == "on"
    server.push_ok({**APP, "more.py": "x = 1"}, environment=[{"name": "SETTING", "value": "off"}])
    assert server.call("query", "notes:setting") == "off"
    server.stop()
    server.start()
    assert server.call("query", "notes:setting") == "off"
    status, answer = server.push(APP, environment=[{"name": "CONVEX_SITE_URL", "value": "x"}])
    assert (status, answer["code"]) == (400, "EnvironmentVariableBuiltIn")


def test_counts_of_functions_survive_a_restart(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(
        {**APP, "bad.py": "from convexpy import query\n@query\ndef fails(ctx):\n    raise ValueError('no')"}
    )
    for _ in range(4):
        server.call("query", "notes:version")
    server.failure("query", "bad:fails")
    server.stop()
    server.start()
    server.call("query", "notes:version")
    found = {
        each["path"]: each for each in get(server, "/api/convexpy/functions/stats?hourly=1")["functions"]
    }
    assert (found["notes:version"]["calls"], found["notes:version"]["errors"]) == (5, 0)
    assert (found["bad:fails"]["calls"], found["bad:fails"]["errors"]) == (1, 1)
    assert found["notes:version"]["p95Ms"] > 0
    assert sum(each["calls"] for each in found["notes:version"]["hours"]) == 5
    assert get(server, "/api/convexpy/status")["errorRate1h"] == pytest.approx(1 / 6)


def test_status_tells_what_is_live(shared: ServerProcess) -> None:
    found = get(shared, "/api/convexpy/status")
    assert (found["functions"], found["tables"], found["clients"]) == (4, 1, 0)
    assert found["live"]["version"] == 1
    assert found["disk"]["databaseBytes"] > 0
    for path in ("status", "history", "functions/stats"):
        assert shared.request("GET", f"/api/convexpy/{path}")[0] == 403
    assert wait_for(lambda: get(shared, "/api/convexpy/status")["building"] == [], what="no builds")
