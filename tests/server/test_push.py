"""Pushes: all or nothing, whatever is wrong with them and whenever they are interrupted."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import http.client
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ROOT, ServerProcess, wait_for
from support.sockets import SyncSocket

StartServer = Callable[..., ServerProcess]

APP = """
import os

from convexpy import mutation, query

@query
def setting(ctx):
    return os.environ.get("LIVE")

@query
def version(ctx) -> str:
    return "VERSION"

@mutation
def add(ctx, n: int):
    return ctx.db.insert("items", {"n": n, "group": n % 7})

@mutation
def add_text(ctx, text: str):
    return ctx.db.insert("items", {"text": text})

@mutation
def fill(ctx, start: int, count: int):
    for n in range(start, start + count):
        ctx.db.insert("items", {"n": n, "group": n % 7})

@mutation
def change(ctx, n: int):
    document = ctx.db.query("items").filter(lambda d: d.get("n") == n).first()
    if document is not None:
        if n % 3:
            ctx.db.patch(document["_id"], {"group": 100})
        else:
            ctx.db.delete(document["_id"])

@mutation
def clear(ctx):
    for document in ctx.db.query("items").collect():
        ctx.db.delete(document["_id"])

@query
def everything(ctx):
    return sorted([d["group"], d["n"], d["_id"]] for d in ctx.db.query("items"))

@query
def by_index(ctx):
    return [[d["group"], d["n"], d["_id"]] for d in ctx.db.query("items").with_index("INDEX")]

@query
def compare(ctx):
    stored = sorted([d["group"], d["n"], d["_id"]] for d in ctx.db.query("items"))
    found = [[d["group"], d["n"], d["_id"]] for d in ctx.db.query("items").with_index("INDEX")]
    return [len(stored), len(found), stored == found]

@query
def group(ctx, group: int):
    return [d["n"] for d in ctx.db.query("items").with_index("INDEX", group=group)]

@query
def texts(ctx):
    return [d["text"] for d in ctx.db.query("items") if "text" in d]
"""

PLAIN_SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"items": define_table({"n": v.optional(v.number()), "group": v.optional(v.number()),
                                               "text": v.optional(v.string())})})
"""
INDEXED = PLAIN_SCHEMA.replace("v.string())})})", 'v.string())}).index("INDEX", ["group", "n"])})')
STRICT = 'from convexpy import define_schema, define_table, v\nschema = define_schema({"items": define_table({"n": v.number(), "group": v.number()})})'


def app(version: str = "first", *, schema: str = PLAIN_SCHEMA, index: str = "by_group") -> dict[str, str]:
    """Return the modules of one version of the app."""
    return {
        "fn.py": APP.replace("VERSION", version).replace("INDEX", index),
        "schema.py": schema.replace("INDEX", index),
    }


def sha(text: str) -> str:
    """Return the hash by which a module is known."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for tests that leave its data and version as they found it."""
    server = ServerProcess(tmp_path_factory.mktemp("push") / "data")
    yield server
    server.close()


@pytest.fixture
def pushed(module_server: ServerProcess) -> ServerProcess:
    """The shared server with the first version of the app and no documents."""
    module_server.push_ok(app("clearing"))
    module_server.call("mutation", "fn:clear")
    module_server.push_ok(app())
    return module_server


# What is refused


@pytest.mark.parametrize(
    ("modules", "code", "place", "says"),
    [
        ({"fn.py": "def broken(:\n    pass"}, "ModuleLoadFailed", ("convex/fn.py", 1), "SyntaxError"),
        ({"more.py": "\nimport no_such_package"}, "ModuleLoadFailed", ("convex/more.py", 2), "no_such_package"),
        ({"more.py": "x = 1\n\n\nraise RuntimeError('at import')"}, "ModuleLoadFailed", ("convex/more.py", 4), "at import"),
        ({"more.py": "from .fn import nothing"}, "ModuleLoadFailed", ("convex/more.py", 1), "nothing"),
        (
            {"more.py": "from convexpy import query\n\n@query\nasync def slow(ctx):\n    pass"},
            None, ("convex/more.py", 4), "async",
        ),
        (
            {"more.py": "from convexpy import query\n@query\ndef a(ctx): pass\n@query(name='a')\ndef b(ctx): pass"},
            None, ("convex/more.py", None), "more:a",
        ),
        ({"schema.py": "from convexpy import define_schema, define_table, v\n\nschema = define_schema({'items': define_table({'$x': v.string()})})"}, None, ("convex/schema.py", 3), "$x"),
        ({"schema.py": "schema = {}"}, "SchemaDefinitionError", ("convex/schema.py", 1), "dict"),
        ({"schema.py": PLAIN_SCHEMA.replace("v.string())})})", "v.string())}).index('by_x', ['nowhere'])})")}, None, ("convex/schema.py", None), "nowhere"),
        ({"fn/more.py": "x = 1"}, "ModuleAndFolder", ("convex/fn.py", 1), "fn"),
    ],
    ids=["syntax", "import", "raise", "name", "async", "duplicate", "field", "schema", "index", "folder"],
)  # fmt: skip
def test_a_version_that_does_not_load_is_refused_with_its_place(
    pushed: ServerProcess, modules: dict[str, str], code: str | None, place: tuple[str, int | None], says: str
) -> None:
    status, answer = pushed.push({**app("broken"), **modules})
    assert status == 400, answer
    assert answer["code"] == (code or answer["code"]), answer
    assert answer["location"]["file"] == place[0], answer
    assert answer["location"]["line"] == (place[1] or answer["location"]["line"])
    assert says in answer["message"], answer
    assert answer["retryOn"] == "files"
    assert str(pushed.data) not in answer["message"]
    assert pushed.call("query", "fn:version") == "first"
    pushed.call("mutation", "fn:add", n=1)


def test_network_at_import_is_refused(pushed: ServerProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        text = f"import socket\n\nsocket.create_connection(('127.0.0.1', {port}))"
        status, answer = pushed.push({**app("broken"), "net.py": text})
        assert status == 400
        assert "network access is not allowed while modules are imported" in answer["message"]
        assert answer["location"] == {"file": "convex/net.py", "line": 3, "column": 1}
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert pushed.call("query", "fn:version") == "first"


@pytest.mark.parametrize(
    "path", ["../evil.py", "/etc/evil.py", "a//b.py", "a/./b.py", "a\\b.py", "a\0b.py", ""]
)
def test_a_module_cannot_leave_its_folder(pushed: ServerProcess, path: str) -> None:
    status, answer = pushed.push({path: "x = 1"})
    assert (status, answer["code"]) == (400, "BadModulePath")


def test_contents_are_checked_against_their_hashes(pushed: ServerProcess) -> None:
    for module, code, status in (
        ({"sha256": sha("x = 1"), "source": "eCA9IDI="}, "BadModuleHash", 400),
        ({"sha256": sha("x = 1"), "source": "*"}, "BadModuleSource", 400),
        ({"sha256": "../keys.json"}, "BadModuleHash", 400),
        ({"sha256": sha("never seen")}, "MissingModules", 409),
    ):
        found, answer, _ = pushed.request(
            "POST", "/api/convexpy/push", {"modules": {"fn.py": module}}, admin=True
        )
        assert (found, answer["code"]) == (status, code), answer


def test_documents_that_do_not_fit_refuse_the_push_and_are_named(pushed: ServerProcess) -> None:
    pushed.call("mutation", "fn:fill", start=0, count=50)
    odd = [pushed.call("mutation", "fn:add_text", text=f"text {n}") for n in range(2)]
    status, answer = pushed.push(app("strict", schema=STRICT))
    assert (status, answer["code"], answer["retryOn"]) == (400, "SchemaMismatch", "data"), answer
    named = [name.partition(":")[0] for name in answer["data"]["documents"]]
    assert sorted(named) == sorted(f"items/{id}" for id in odd)
    assert named[0] in answer["message"]
    assert pushed.call("query", "fn:version") == "first"
    pushed.call("mutation", "fn:add_text", text="still welcome")
    assert pushed.call("query", "fn:texts") == ["text 0", "text 1", "still welcome"]


def test_a_push_and_a_write_that_does_not_fit_it_never_both_succeed(pushed: ServerProcess) -> None:
    """The write comes at ever later moments of the push; either the push is refused or the write is."""
    outcomes = set()
    for trial in range(8):
        pushed.push_ok(app(f"open {trial}"))
        pushed.call("mutation", "fn:clear")
        pushed.call("mutation", "fn:fill", start=0, count=200)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            push = pool.submit(pushed.push, app(f"strict {trial}", schema=STRICT))
            for _ in range(trial * 8):
                pushed.call("query", "fn:version")
            body = {"path": "fn:add_text", "args": {"text": "misfit"}}
            written = pushed.request("POST", "/api/mutation", body)[1]["status"] == "success"
            status, answer = push.result()
        outcomes.add((status, written))
        assert (status, written) in ((400, True), (200, False)), answer
        assert pushed.call("query", "fn:texts") == (["misfit"] if written else [])
        assert pushed.call("query", "fn:version") == (f"open {trial}" if written else f"strict {trial}")
    assert outcomes


# What a push brings


def test_a_push_is_one_moment_for_all_functions_and_fails_no_call(pushed: ServerProcess) -> None:
    stop = threading.Event()
    seen: list[set[str]] = []
    twin = "from convexpy import query\n\n@query\ndef version(ctx) -> str:\n    return 'VERSION'"

    def push(text: str) -> None:
        pushed.push_ok({**app(text), "twin.py": twin.replace("VERSION", text)})

    def caller() -> None:
        batch = {"queries": [{"path": "fn:version"}, {"path": "twin:version"}]}
        for n in itertools.count():
            if stop.is_set():
                return
            answers = pushed.request("POST", "/api/query_batch", batch)[1]["results"]
            seen.append({answer["value"] for answer in answers})
            pushed.call("mutation", "fn:add", n=n)

    push("v0")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        callers = [pool.submit(caller) for _ in range(2)]
        try:
            for n in range(1, 6):
                push(f"v{n}")
        finally:
            stop.set()
        for ended in callers:
            ended.result()
    assert all(len(versions) == 1 for versions in seen)
    assert len({next(iter(versions)) for versions in seen}) > 2


def test_only_what_the_server_has_not_seen_needs_to_travel(pushed: ServerProcess) -> None:
    modules = {**app("travelled"), "data/words.txt": "unique words"}
    plan = {"modules": {path: sha(text) for path, text in modules.items()}}
    status, answer, _ = pushed.request("POST", "/api/convexpy/push/plan", plan, admin=True)
    assert status == 200
    assert sorted(answer["missing"]) == ["data/words.txt", "fn.py"]
    pushed.push_ok(modules)
    assert pushed.request("POST", "/api/convexpy/push/plan", plan, admin=True)[1] == {"missing": []}
    bare = {"modules": {path: {"sha256": sha(text)} for path, text in app().items()}}
    status, answer, _ = pushed.request("POST", "/api/convexpy/push", bare, admin=True)
    assert status == 200, answer
    assert answer["changes"]["modules"] == {"added": [], "removed": ["data/words.txt"], "changed": ["fn.py"]}
    assert pushed.call("query", "fn:version") == "first"


def test_an_unchanged_push_changes_nothing(pushed: ServerProcess) -> None:
    first = pushed.push_ok(app())
    again = pushed.push_ok(app())
    assert first["unchanged"]
    assert again["unchanged"]
    assert first["version"] == again["version"]
    assert again["changes"]["functions"] == {"added": [], "removed": [], "changed": []}


def test_a_dry_run_says_what_would_change_and_changes_nothing(pushed: ServerProcess) -> None:
    extra = "from convexpy import query\n@query\ndef new(ctx): pass"
    answer = pushed.push_ok({**app("dry", schema=INDEXED), "more.py": extra}, dryRun=True)
    assert answer["changes"]["functions"]["added"] == ["more:new"]
    assert [index["name"] for index in answer["changes"]["indexes"]["added"]] == ["by_group"]
    assert pushed.call("query", "fn:version") == "first"
    assert "Could not find" in pushed.failure("query", "more:new")["errorMessage"]
    assert "by_group" in pushed.failure("query", "fn:by_index")["errorMessage"]
    status, answer = pushed.push({"fn.py": "def broken("}, dryRun=True)
    assert (status, answer["code"]) == (400, "ModuleLoadFailed")


def test_a_push_that_removes_a_function(pushed: ServerProcess) -> None:
    answer = pushed.push_ok(
        {"other.py": "from convexpy import query\n@query\ndef only(ctx) -> int:\n    return 1"}
    )
    assert "fn:version" in answer["changes"]["functions"]["removed"]
    assert pushed.call("query", "other:only") == 1
    assert "Could not find public function" in pushed.failure("query", "fn:version")["errorMessage"]


def test_of_two_pushes_at_once_one_is_told_to_wait(pushed: ServerProcess) -> None:
    slow = "import threading\nthreading.Event().wait(0.7)"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pushes = [
            pool.submit(pushed.push, {**app(f"push {n}"), "slow.py": slow + f"\nn = {n}"}) for n in range(2)
        ]
        answers = sorted((push.result() for push in pushes), key=lambda answer: answer[0])
    assert [status for status, _ in answers] == [200, 409]
    assert answers[1][1]["code"] == "PushInProgress"
    assert answers[1][1]["retryOn"] == "backoff"
    assert pushed.call("query", "fn:version").startswith("push ")


# Indexes


def test_an_index_over_ten_thousand_documents_is_complete_while_writes_go_on(pushed: ServerProcess) -> None:
    for start in range(0, 10_000, 2_500):
        pushed.call("mutation", "fn:fill", start=start, count=2_500)
    stop = threading.Event()

    def writer(offset: int) -> int:
        for n in itertools.count(offset, 2):
            if stop.is_set():
                return n
            pushed.call("mutation", "fn:add", n=20_000 + n)
            pushed.call("mutation", "fn:change", n=n % 300)
        raise AssertionError

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(writer, offset) for offset in (0, 1)]
        try:
            answer = pushed.push_ok(app("indexed", schema=INDEXED))
            during = pushed.call("query", "fn:compare")
        finally:
            stop.set()
        assert [writer.result() for writer in writers] > [2, 3]
    assert [index["name"] for index in answer["changes"]["indexes"]["added"]] == ["by_group"]
    for stored, found, same in (during, pushed.call("query", "fn:compare")):
        assert stored == found > 9_800
        assert same


def test_a_removed_index_is_gone_and_can_come_back_with_other_fields(pushed: ServerProcess) -> None:
    pushed.push_ok(app("with", schema=INDEXED))
    pushed.call("mutation", "fn:fill", start=0, count=30)
    assert pushed.call("query", "fn:group", group=3) == [3, 10, 17, 24]
    answer = pushed.push_ok(app("without"))
    assert [index["name"] for index in answer["changes"]["indexes"]["removed"]] == ["by_group"]
    assert "by_group" in pushed.failure("query", "fn:group", group=3)["errorMessage"]
    pushed.call("mutation", "fn:add", n=31)
    pushed.push_ok(app("turned", schema=INDEXED.replace('["group", "n"]', '["group"]')))
    pushed.call("mutation", "fn:add", n=38)
    assert pushed.call("query", "fn:group", group=3) == [3, 10, 17, 24, 31, 38]


def test_a_staged_index_is_built_behind_the_scenes_and_usable_when_no_longer_staged(
    pushed: ServerProcess,
) -> None:
    pushed.call("mutation", "fn:fill", start=0, count=500)
    staged = INDEXED.replace('["group", "n"]', '["group", "n"], staged=True')
    pushed.push_ok(app("staged", schema=staged))
    assert "staged" in pushed.failure("query", "fn:by_index")["errorMessage"]
    pushed.call("mutation", "fn:add", n=500)
    pushed.push_ok(app("live", schema=INDEXED))
    pushed.call("mutation", "fn:add", n=501)
    assert pushed.call("query", "fn:by_index") == pushed.call("query", "fn:everything")
    assert len(pushed.call("query", "fn:by_index")) == 502


# Executors


@pytest.mark.sqlite
def test_a_heavy_import_does_not_slow_a_push_after_the_first(
    start_server: StartServer, tmp_path: Path
) -> None:
    package, imports = tmp_path / "packages" / "heavy_one", tmp_path / "imports"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import os, threading\nthreading.Event().wait(1.5)\n"
        f"with open({str(imports)!r}, 'a') as file:\n    file.write(f'{{os.getpid()}}\\n')\nvalue = 7\n"
    )
    server = start_server(env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'cli'}:{package.parent}"})
    text = "import heavy_one\nfrom convexpy import query\n@query\ndef get(ctx) -> int:\n    return heavy_one.value + 0"
    assert server.push_ok({"fn.py": text})["ms"] > 1500
    wait_for(lambda: len(imports.read_text().splitlines()) == 2, what="the import ahead of the next push")
    for n in range(1, 4):
        answer = server.push_ok({"fn.py": text.replace("+ 0", f"+ {n}")})
        assert answer["ms"] < 1500
        assert server.call("query", "fn:get") == 7 + n
    assert len(imports.read_text().splitlines()) == 2


def test_a_changed_variable_runs_queries_again(pushed: ServerProcess) -> None:
    text = (
        "import os\nfrom convexpy import query\n@query\ndef get(ctx):\n    return os.environ.get('GREETING')"
    )
    pushed.push_ok({**app(), "env.py": text})

    def change(value: str | None) -> None:
        changes = {"changes": [{"name": "GREETING", "value": value}]}
        status, answer, _ = pushed.request("POST", "/api/update_environment_variables", changes, admin=True)
        assert status == 200, answer

    with SyncSocket(pushed.url) as client:
        client.subscribe(0, "env:get")
        client.transition()
        assert client.results == {0: None}
        change("hello")
        client.until_result(0, lambda value: value == "hello")
        change("good bye")
        client.until_result(0, lambda value: value == "good bye")
        listed = pushed.request("GET", "/api/v1/list_environment_variables", admin=True)[1]
        assert listed == {"environmentVariables": {"GREETING": "good bye"}}
        change(None)
        client.until_result(0, lambda value: value is None)
    assert pushed.call("query", "env:get") is None


def test_variables_changed_during_pushes_never_bring_an_older_version_back(pushed: ServerProcess) -> None:
    text = "import os\nfrom convexpy import query\n@query\ndef get(ctx):\n    return ['VERSION', os.environ.get('TURN')]"

    def change(value: str | None) -> None:
        body = {"changes": [{"name": "TURN", "value": value}]}
        status, answer, _ = pushed.request("POST", "/api/update_environment_variables", body, admin=True)
        assert status == 200, answer

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for turn in range(6):
            changed = pool.submit(change, str(turn))
            pushed.push_ok({**app(), "env.py": text.replace("VERSION", f"v{turn}")})
            assert pushed.call("query", "env:get")[0] == f"v{turn}"
            changed.result()
            assert pushed.call("query", "env:get") == [f"v{turn}", str(turn)]
    change(None)


# Interruptions

MOMENTS = [
    "push.loaded=kill",
    "push.checked=kill",
    "push.begun=kill",
    "walk.before_enter=kill",
    "walk.before_enter=kill@2",
    "checkpoint.half_applied=kill",
    "checkpoint.before_commit=kill",
    "checkpoint.before_compact=kill",
    "push.walked=kill",
    "push.before_activate=kill",
    "push.activated=kill",
    "committer.before_append=kill",
    "committer.after_append=kill",
    "committer.before_append=kill@2",
    "committer.after_append=kill@2",
]


def test_kill_9_at_any_moment_of_a_push_leaves_the_old_or_the_new_version_whole(
    start_server: StartServer,
) -> None:
    """Each start checks what the push before left, then pushes a version with another index and is killed in it."""
    server = start_server()
    _push_numbered(server, 0)
    for start in range(0, 1500, 500):
        server.call("mutation", "fn:fill", start=start, count=500)
    everything = server.call("query", "fn:everything")
    server.stop()
    live, seen = 0, []
    for number, moment in enumerate([*MOMENTS, ""], start=1):
        with contextlib.suppress(AssertionError):
            server.start(env={"CONVEXPY_PAUSE": moment})  # some moments come before the server is ready
        with contextlib.suppress(OSError):
            version = int(server.call("query", "fn:version").removeprefix("v"))
            assert live <= version < number, moment
            assert server.call("query", "fn:by_index") == everything, moment
            assert _names(server) == {f"by_v{version}"}, moment
            assert server.call("query", "fn:setting") == f"v{version}", moment
            assert _newest(server)["message"] == f"v{version}", moment
            seen.append((moment, version == number - 1))
            live = version
            _push_numbered(server, number)
            assert not moment, f"{moment} did not come"
        if moment:
            wait_for(lambda: server.process.poll() is not None, what=f"the end of the server at {moment}")
            server.close()
    assert len(seen) > len(MOMENTS) // 2
    assert {new for _, new in seen} == {True, False}
    assert server.call("query", "fn:by_index") == everything


def _push_numbered(server: ServerProcess, number: int) -> None:
    """Push a version with an index, a variable and a message of its own."""
    server.push_ok(
        app(f"v{number}", schema=INDEXED, index=f"by_v{number}"),
        environment=[{"name": "LIVE", "value": f"v{number}"}],
        note={"message": f"v{number}"},
        allow=["index-drop"],
        largeTableDocuments=0,
    )


def _newest(server: ServerProcess) -> dict[str, Any]:
    """Return the newest entry of the history."""
    newest: dict[str, Any] = server.request("GET", "/api/convexpy/history?limit=1", admin=True)[1]["pushes"][
        0
    ]
    return newest


def _names(server: ServerProcess) -> set[str]:
    """Return the names of the indexes that `items` has, but for the built-in one."""
    answer = server.request("GET", "/api/convexpy/functions", admin=True)[1]
    return {index["name"] for index in answer["schema"]["tables"]["items"]["indexes"]}


def test_what_a_killed_push_began_is_removed_at_the_next_start(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(app("old"))
    server.call("mutation", "fn:fill", start=0, count=10)
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": "push.walked=kill"})
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        server.push(app("new", schema=INDEXED))
    wait_for(lambda: server.process.poll() is not None, what="the end of the server")
    server.close()
    server.start(env={})
    assert server.call("query", "fn:version") == "old"

    def states() -> set[str]:
        found = server.request("POST", "/api/query", _page("_index"), admin=True)[1]["value"]["page"]
        return {index["state"] for index in found if index["name"] == "by_group"}

    assert "by_group" in server.failure("query", "fn:by_index")["errorMessage"]
    wait_for(lambda: states() <= {"deleting", "deleted"}, what="the removal of the index")


def _page(table: str) -> dict[str, Any]:
    options = {"cursor": None, "numItems": 1000}
    return {
        "path": "_system/cli/tableData",
        "args": {"table": table, "order": "asc", "paginationOpts": options},
    }


@pytest.mark.sqlite
def test_a_push_of_any_size_replaces_one_of_any_size(server: ServerProcess) -> None:
    answers = "from convexpy import query\n\n@query\ndef answer(ctx) -> int:\n    return %d\n"
    pushes: list[dict[str, str]] = [
        {f"many/m{number}.txt": str(number) for number in range(5000)},
        {f"more/m{number}.txt": f"more {number}" for number in range(5000)},
        {"data/a.txt": "a" * (11 * 2**20)},
        {"data/b.txt": "b" * (11 * 2**20)},
        {},
    ]
    for n, files in enumerate(pushes):
        server.push_ok({"fn.py": answers % n, **files})
        assert server.call("query", "fn:answer") == n
    server.push_ok({"fn.py": answers % 9, **pushes[2]})
    server.kill()
    server.start()
    assert server.call("query", "fn:answer") == 9


def test_the_bounds_of_a_push_are_named(server: ServerProcess) -> None:
    status, answer = server.push({f"m{number}.txt": "" for number in range(10_001)})
    assert (status, answer["code"]) == (400, "TooManyModules")
    assert "10000" in answer["message"]
