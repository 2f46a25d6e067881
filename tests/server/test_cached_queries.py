"""A query that is called again runs only if its result could be another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow

APP = """
import os
from convexpy import mutation, query

runs = 0

def count():
    global runs
    runs += 1
    return runs

@query
def plain(ctx, channel: str) -> list:
    found = ctx.db.query("messages").with_index("by_channel", channel=channel).collect()
    return [count(), [each["body"] for each in found]]

@query
def one(ctx, id: str) -> list:
    return [count(), ctx.db.get(id)]

@query
def tables(ctx) -> list:
    return [count(), len(ctx.db.query("later").collect())]

@query
def timed(ctx) -> list:
    ctx.db.query("messages").first()
    ctx.now()
    return [count()]

@query
def drawn(ctx) -> list:
    ctx.db.query("messages").first()
    return [count(), ctx.random.random()]

@query
def reads_nothing(ctx) -> list:
    return [count()]

@query
def named(ctx) -> list:
    ctx.db.query("messages").first()
    return [count(), ctx.meta.request_id]

@query
def limits(ctx) -> list:
    ctx.db.query("messages").first()
    return [count(), ctx.meta.limits.documents_read.used]

@query
def variable(ctx) -> list:
    ctx.db.query("messages").first()
    return [count(), os.environ.get("COLOR")]

@query
def fails(ctx) -> None:
    raise ValueError(f"run {count()}")

@query
def prints(ctx) -> int:
    ctx.db.query("messages").first()
    print("said")
    return count()

@mutation
def send(ctx, channel: str, body: str) -> str:
    return ctx.db.insert("messages", {"channel": channel, "body": body})

@mutation
def edit(ctx, id: str, body: str) -> None:
    ctx.db.patch(id, {"body": body})

@mutation
def make_table(ctx) -> None:
    ctx.db.insert("later", {})
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema(
    {"messages": define_table({"channel": v.string(), "body": v.string()}).index("by_channel", ["channel"])},
    schema_validation=False,
)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("cached") / "data")
    try:
        server.push_ok({"fn.py": APP, "schema.py": SCHEMA})
        yield server
    finally:
        server.close()


def twice(server: ServerProcess, path: str, **args: Any) -> tuple[Any, Any]:
    """Return two results of a query that follow each other well within the life of a result, and are not its first."""
    server.call("query", path, **args)
    while True:
        began = time.monotonic()
        results = server.call("query", path, **args), server.call("query", path, **args)
        if time.monotonic() - began < 0.5:
            return results


@pytest.mark.parametrize("path", ["fn:tables", "fn:variable", "fn:prints"])
def test_what_depends_on_data_alone_does_not_run_again(server: ServerProcess, path: str) -> None:
    first, second = twice(server, path)
    assert first == second


@pytest.mark.parametrize("path", ["fn:timed", "fn:drawn", "fn:named", "fn:limits", "fn:reads_nothing"])
def test_what_depends_on_the_call_runs_again(server: ServerProcess, path: str) -> None:
    first, second = twice(server, path)
    assert second[0] > first[0]


def test_a_failure_runs_again(server: ServerProcess) -> None:
    messages = [server.failure("query", "fn:fails")["errorMessage"] for _ in range(2)]
    assert messages[0].partition("run")[2] != messages[1].partition("run")[2]


def test_a_caller_always_reads_what_was_written_before(server: ServerProcess) -> None:
    id = server.call("mutation", "fn:send", channel="a", body="0")
    for n in range(1, 50):
        server.call("query", "fn:plain", channel="a")
        server.call("query", "fn:one", id=id)
        server.call("mutation", "fn:edit", id=id, body=str(n))
        assert server.call("query", "fn:plain", channel="a")[1] == [str(n)]
        assert server.call("query", "fn:one", id=id)[1]["body"] == str(n)


def test_a_write_elsewhere_leaves_a_result_known(server: ServerProcess) -> None:
    server.call("mutation", "fn:send", channel="b", body="b")
    twice(server, "fn:plain", channel="b")
    while True:
        began = time.monotonic()
        first = server.call("query", "fn:plain", channel="b")
        server.call("mutation", "fn:send", channel="c", body="c")
        second = server.call("query", "fn:plain", channel="b")
        if time.monotonic() - began < 0.5:
            break
    assert first == second


def test_a_table_that_comes_is_seen(server: ServerProcess) -> None:
    before = server.call("query", "fn:tables")[1]
    server.call("mutation", "fn:make_table")
    assert server.call("query", "fn:tables")[1] == before + 1


def test_lines_of_the_log_come_with_a_known_result(server: ServerProcess) -> None:
    call = {"path": "fn:prints", "args": {}}
    for _ in range(3):
        assert server.request("POST", "/api/query", call)[1]["logLines"] == ["[LOG] said"]


def test_a_push_and_a_variable_make_results_unknown(server: ServerProcess) -> None:
    assert server.call("query", "fn:variable")[1] is None
    changes = {"changes": [{"name": "COLOR", "value": "red"}]}
    status, answer, _ = server.request("POST", "/api/update_environment_variables", changes, admin=True)
    assert status == 200, answer
    assert server.call("query", "fn:variable")[1] == "red"
    server.push_ok({"fn.py": APP.replace('os.environ.get("COLOR")', '"green"'), "schema.py": SCHEMA})
    assert server.call("query", "fn:variable")[1] == "green"
