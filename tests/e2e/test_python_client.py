"""The official PyPI client, unmodified, in processes of its own: a call that hangs there holds the whole interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

NOTES = """
from convexpy import ConvexError, action, mutation, query

@query
def list(ctx):
    return [document["text"] for document in ctx.db.query("notes")]

@mutation
def add(ctx, text: str) -> int:
    ctx.db.insert("notes", {"text": text})
    return ctx.db.query("notes").count()

@mutation
def refuse(ctx):
    raise ConvexError({"code": 7, "list": [1, "a"]})

@mutation
def fail(ctx):
    return 1 // 0

@query
def refuse_query(ctx):
    raise ConvexError("only text")

@action
async def act(ctx, text: str) -> int:
    return await ctx.run_mutation("notes:add", text=text)

@action
async def refuse_action(ctx):
    raise ConvexError(None)

@query
def echo(ctx, /, **args):
    return args
"""

ONE = """
import json, math, sys
from convex import ConvexClient, ConvexError, ConvexInt64

def tell(name, value):
    print(json.dumps([name, value]), flush=True)

def failure(call, *args):
    try:
        call(*args)
    except ConvexError as error:
        return ["ConvexError", error.data]
    except Exception as error:
        return [type(error).__name__, str(error)]
    return "no error"

client = ConvexClient(sys.argv[1])
tell("query", client.query("notes:list"))
tell("mutation", client.mutation("notes:add", {"text": "first"}))
tell("action", client.action("notes:act", {"text": "second"}))
tell("after", client.query("notes:list"))
values = client.query("notes:echo", {"n": 7, "big": ConvexInt64(2**60), "bytes": b"hi", "nan": math.nan, "none": None})
tell("echo", [values["n"], str(values["big"]), list(values["bytes"]), math.isnan(values["nan"]), values["none"]])
tell("refuse", failure(client.mutation, "notes:refuse"))
tell("refuse_query", failure(client.query, "notes:refuse_query"))
tell("refuse_action", failure(client.action, "notes:refuse_action"))
tell("fail", failure(client.mutation, "notes:fail"))
tell("missing", failure(client.query, "notes:nope"))
tell("wrong", failure(client.mutation, "notes:add", {"text": 1}))
tell("still", client.mutation("notes:add", {"text": "third"}))
"""

WATCH = """
import json, sys
from convex import ConvexClient

for value in ConvexClient(sys.argv[1]).subscribe("notes:list"):
    print(json.dumps(["seen", value]), flush=True)
    if len(value) == int(sys.argv[2]):
        break
"""

WRITE = """
import sys
from convex import ConvexClient

client = ConvexClient(sys.argv[1])
for n in range(int(sys.argv[2])):
    client.mutation("notes:add", {"text": f"note {n}"})
"""

StartPython = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def python() -> Iterator[StartPython]:
    """Start programs that use the official client; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _output(process: subprocess.Popen[str]) -> list[Any]:
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    return [json.loads(line) for line in output.splitlines()]


def test_every_call_of_the_official_client_returns(server: ServerProcess, python: StartPython) -> None:
    server.push_ok({"notes.py": NOTES})
    seen = dict(_output(python(ONE, server.url)))
    assert seen["query"] == []
    assert seen["mutation"] == 1
    assert seen["action"] == 2
    assert seen["after"] == ["first", "second"]
    assert seen["echo"][0] == 7
    assert str(2**60) in seen["echo"][1]
    assert seen["echo"][2:] == [[104, 105], True, None]
    assert seen["refuse"] == ["ConvexError", {"code": 7, "list": [1, "a"]}]
    assert seen["refuse_query"] == ["ConvexError", "only text"]
    assert seen["refuse_action"] == ["ConvexError", None]
    assert "Uncaught ZeroDivisionError: integer" in seen["fail"][1]
    assert "Could not find public function for 'notes:nope'" in seen["missing"][1]
    assert "ArgumentValidationError: " in seen["wrong"][1]
    assert seen["still"] == 3


def test_a_subscription_sees_what_another_process_writes(server: ServerProcess, python: StartPython) -> None:
    server.push_ok({"notes.py": NOTES})
    watcher = python(WATCH, server.url, "20")
    assert watcher.stdout is not None
    assert json.loads(watcher.stdout.readline()) == ["seen", []]
    writer = python(WRITE, server.url, "20")
    assert _output(writer) == []
    seen = [value for _, value in _output(watcher)]
    assert seen[-1] == [f"note {n}" for n in range(20)]
    assert all(value == seen[-1][: len(value)] for value in seen)
    assert [len(value) for value in seen] == sorted({len(value) for value in seen})


def test_a_subscription_goes_on_after_the_server_was_killed(
    server: ServerProcess, python: StartPython
) -> None:
    server.push_ok({"notes.py": NOTES})
    watcher = python(WATCH, server.url, "2")
    assert watcher.stdout is not None
    assert json.loads(watcher.stdout.readline()) == ["seen", []]
    server.call("mutation", "notes:add", text="before")
    assert json.loads(watcher.stdout.readline()) == ["seen", ["before"]]
    server.kill()
    server.start()
    server.call("mutation", "notes:add", text="after")
    wait_for(lambda: watcher.poll() is not None, what="the end of the subscription")
    assert _output(watcher)[-1] == ["seen", ["before", "after"]]


TOO_LARGE = """
import json, sys
from convex import ConvexClient

client = ConvexClient(sys.argv[1])
for call, name in ((client.mutation, "notes:add"), (client.action, "notes:act")):
    try:
        call(name, {"text": "x" * (21 * 2**20)})
    except Exception as error:
        print(json.dumps(str(error)), flush=True)
print(json.dumps(client.mutation("notes:add", {"text": "after"})), flush=True)
"""


def test_a_call_that_is_too_large_fails_alone(server: ServerProcess) -> None:
    server.push_ok({"notes.py": NOTES})
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE, server.url], capture_output=True, text=True, timeout=200, check=True
    )
    *errors, after = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(errors) == 2
    assert all("more than the limit socket_message_bytes" in error for error in errors)
    assert after == 1


HTTP_CLIENT = """
import json, sys
from convex.http_client import ConvexHttpClient

client = ConvexHttpClient(sys.argv[1])
print(json.dumps(client.query("notes:echo", {"n": 4, "list": [1, 2.5, {"m": 0}]})))
print(json.dumps(client.mutation("notes:add", {"text": "x"})))
print(json.dumps(client.action("notes:act", {"text": "y"})))
"""


def test_whole_numbers_reach_the_http_client(server: ServerProcess) -> None:
    server.push_ok({"notes.py": NOTES})
    done = subprocess.run(
        [sys.executable, "-c", HTTP_CLIENT, server.url],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [{"n": 4, "list": [1, 2.5, {"m": 0}]}, 1, 2]
