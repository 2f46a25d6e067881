"""The official npm client, unmodified, against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.processes import ServerProcess, wait_for

MESSAGES = """
from convexpy import ConvexError, action, mutation, query

@query
def list(ctx):
    return ctx.db.query("messages").collect()

@mutation
def send(ctx, body: str, author: str):
    return ctx.db.insert("messages", {"body": body, "author": author})

@mutation
def fail(ctx, n: int):
    raise ValueError("plain trouble")

@mutation
def refuse(ctx, n: int):
    raise ConvexError({"code": 7, "big": "no"})

@action
async def act(ctx, body: str) -> str:
    await ctx.run_mutation("messages:send", body=body, author="action")
    return "acted"

@mutation
def count(ctx, n: int) -> int:
    had = ctx.db.query("counts").count()
    ctx.db.insert("counts", {"n": n})
    return had

@query
def counts(ctx):
    return [document["n"] for document in ctx.db.query("counts")]

@query
def echo(ctx, /, **args):
    return args["value"]

@query
def version(ctx) -> str:
    return "first"

@query
def steady(ctx) -> str:
    return "unchanged"
"""
StartNode = Callable[..., Any]


def test_the_official_clients_work_unmodified(server: ServerProcess, node: StartNode) -> None:
    server.push_ok({"messages.py": MESSAGES})
    program = node("live.mjs", server.url)
    program.wait("done")
    seen = {event["event"]: event["value"] for event in program.events}
    assert seen["first"] == []
    assert seen["mutation"] == "string"
    assert seen["changed"] == "from the socket"
    assert seen["http"] == ["from the socket", "over http"]
    plain, refused = seen["fail"], seen["refuse"]
    assert "[CONVEX M(messages:fail)] [Request ID: " in plain["message"]
    assert (
        "Server Error\nUncaught ValueError: plain trouble\n    at fail (convex/messages.py:"
        in plain["message"]
    )
    assert (plain["isConvexError"], plain["data"]) == (False, None)
    assert refused["isConvexError"]
    assert refused["data"] == {"code": 7, "big": "no"}
    assert seen["action"] == "acted"
    assert seen["order"] == list(range(50))
    assert seen["echo"] == {"big": "42", "bytes": 2, "nan": True, "zero": True, "list": [1, "a", None, True]}
    assert seen["consistent"] == 3
    assert seen["httpRefused"] == {"data": {"code": 7, "big": "no"}, "isConvexError": True}
    assert "Uncaught ValueError: plain trouble" in seen["httpFailed"]
    assert seen["missing"].count("Could not find public function for 'messages:nope'") == 1
    assert program.close() == 0
    assert not any("FATAL" in line or "parse" in line for line in program.errors), program.errors


def test_a_save_changes_what_a_connected_client_sees_over_the_same_socket(
    server: ServerProcess, node: StartNode
) -> None:
    server.push_ok({"messages.py": MESSAGES})
    program = node("steered.mjs", server.url)
    for name in ("version", "steady"):
        program.command(op="subscribe", path=f"messages:{name}", tag=name)
    program.wait("version", lambda value: value == "first")
    program.wait("steady")
    for text in ("second", "third"):
        server.push_ok({"messages.py": MESSAGES.replace('"first"', f'"{text}"')})
        program.wait("version", lambda value, text=text: value == text)
    broken = server.push({"messages.py": "def broken(:"})
    assert broken[0] == 400
    program.command(op="mutation", path="messages:count", args={"n": 1}, tag="after")
    assert program.wait("after") == {"value": 0}
    program.command(op="sockets", tag="sockets")
    assert program.wait("sockets") == {"opened": 1}
    assert [event for event in program.events if event["event"] in ("socketClosed", "steady")] == [
        {"event": "steady", "value": "unchanged"}
    ]


def test_a_mutation_that_was_committed_but_not_answered_is_not_applied_again(
    start_server: Callable[..., ServerProcess], node: StartNode
) -> None:
    """The server ends as by kill -9 between the commit and the answer; the client repeats the call to the next one."""
    server = start_server()
    server.push_ok({"messages.py": MESSAGES})
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": "committer.after_append=kill@2"})
    program = node("steered.mjs", server.url)
    program.command(op="subscribe", path="messages:counts", tag="counts")
    program.wait("counts", lambda value: value == [])
    program.command(op="mutation", path="messages:count", args={"n": 1}, tag="one")
    program.wait("one")
    program.command(op="mutation", path="messages:count", args={"n": 2}, tag="two")
    wait_for(lambda: server.process.poll() is not None, what="the end of the server")
    program.wait("socketClosed")
    server.close()
    server.start(env={})
    assert program.wait("two") == {"value": 1}
    program.wait("counts", lambda value: value == [1, 2])
    program.command(op="mutation", path="messages:count", args={"n": 3}, tag="three")
    assert program.wait("three") == {"value": 2}
    program.wait("counts", lambda value: value == [1, 2, 3])
    assert server.call("query", "messages:counts") == [1, 2, 3]


def test_pending_mutations_survive_kill_9_and_a_restart_on_the_same_port(
    start_server: Callable[..., ServerProcess], node: StartNode
) -> None:
    server = start_server()
    server.push_ok({"messages.py": MESSAGES})
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": "committer.after_append=kill@2"})
    program = node("steered.mjs", server.url)
    program.command(op="subscribe", path="messages:counts", tag="counts")
    program.wait("counts")
    for n in range(200):
        program.command(op="mutation", path="messages:count", args={"n": n}, tag=f"m{n}")
    wait_for(lambda: server.process.poll() is not None, what="the end of the server")
    server.close()
    server.start(env={})
    for n in range(200):
        assert program.wait(f"m{n}") == {"value": n}
    program.wait("counts", lambda value: value == list(range(200)))
    program.command(op="sockets", tag="sockets")
    assert program.wait("sockets")["opened"] >= 2
    assert server.call("query", "messages:counts") == list(range(200))


def test_a_call_that_is_too_large_fails_alone_and_is_not_sent_again(
    server: ServerProcess, node: StartNode
) -> None:
    server.push_ok({"messages.py": MESSAGES})
    program = node("steered.mjs", server.url)
    program.command(op="subscribe", path="messages:counts", tag="counts")
    program.wait("counts", lambda value: value == [])
    large = {"body": "x" * (21 * 2**20), "author": "a"}
    program.command(op="mutation", path="messages:count", args={"n": 1}, tag="before")
    program.command(op="mutation", path="messages:send", args=large, tag="mutation")
    program.command(op="action", path="messages:act", args=large, tag="action")
    program.command(op="mutation", path="messages:count", args={"n": 2}, tag="after")
    for tag in ("mutation", "action"):
        assert "more than the limit socket_message_bytes: 20971520" in program.wait(tag)["error"]
    assert [program.wait("before"), program.wait("after")] == [{"value": 0}, {"value": 1}]
    program.wait("counts", lambda value: value == [1, 2])
    program.command(op="sockets", tag="sockets")
    assert program.wait("sockets") == {"opened": 1}


HISTORY_APP = {
    "fn.py": """
from convexpy import MutationCtx, QueryCtx, mutation, query

@query
def counter(ctx: QueryCtx):
    return ctx.db.query("notes").count()

@mutation
def add(ctx: MutationCtx) -> None:
    ctx.db.insert("notes", {"text": "x"})
"""
}


def test_consistent_queries_answer_as_of_one_moment(server: ServerProcess, node_clients: Path) -> None:
    server.push_ok(HISTORY_APP)
    server.call("mutation", "fn:add")
    script = """
const { ConvexHttpClient } = require("convex/browser");
const { anyApi } = require("convex/server");
(async () => {
  const client = new ConvexHttpClient(process.argv[1]);
  const seen = [];
  for (let n = 0; n < 5; n++) {
    seen.push(await client.consistentQuery(anyApi.fn.counter, {}));
    await client.mutation(anyApi.fn.add, {});
  }
  seen.push(await client.query(anyApi.fn.counter, {}));
  console.log(JSON.stringify(seen));
})();
"""
    ended = subprocess.run(
        ["node", "-e", script, server.url],
        cwd=node_clients,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.stdout.strip() == "[1,1,1,1,1,6]", ended.stderr
