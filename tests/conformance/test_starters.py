"""Both ways to start executors, by fork server and as fresh interpreters, do the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket

pytestmark = pytest.mark.slow

APP = """
import os
from convexpy import ConvexError, action, mutation, query

@query
def version(ctx) -> str:
    return "VERSION"

@mutation
def add(ctx, n: int) -> int:
    print("adding", n)
    ctx.db.insert("items", {"n": n})
    return ctx.db.query("items").count()

@query
def count(ctx) -> int:
    return ctx.db.query("items").count()

@action
async def act(ctx, n: int) -> int:
    return await ctx.run_mutation("fn:add", n=n)

@mutation
def refuse(ctx):
    ctx.db.insert("items", {"n": -1})
    raise ConvexError({"code": 7})

@mutation
def exits(ctx):
    ctx.db.insert("items", {"n": -1})
    os._exit(3)

@query
def endless(ctx):
    while True:
        pass

@action
async def exits_too(ctx):
    os._exit(4)

@query
def environment(ctx):
    return os.environ.get("GREETING")

@query
def secrets(ctx):
    return sorted(name for name in os.environ if "KEY" in name or "SECRET" in name)

@action
def my_pid(ctx) -> int:
    return os.getpid()

@query
def query_pid(ctx) -> int:
    return os.getpid()
"""


@pytest.fixture(params=["fork", "spawn"])
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that starts its executors in one way or the other; many, so that threads and processes would run short."""
    folder = tmp_path_factory.mktemp(request.param)
    server = ServerProcess(
        folder / "data", "--starter", request.param, "--query-executors", "2", "--function-cpu-s", "0.5",
        env={"MY_SECRET_KEY": "hidden"},
    )  # fmt: skip
    yield server
    server.close()


def test_calls_pushes_failures_and_variables(started: ServerProcess) -> None:
    for text in ("first", "second"):
        started.push_ok({"fn.py": APP.replace("VERSION", text)})
        assert started.call("query", "fn:version") == text
    assert started.call("mutation", "fn:add", n=1) == 1
    assert started.call("action", "fn:act", n=2) == 2
    assert started.failure("mutation", "fn:refuse")["errorData"] == {"code": 7}
    answer = started.request("POST", "/api/mutation", {"path": "fn:add", "args": {"n": 3}})[1]
    assert answer["logLines"] == ["[LOG] adding 3"]
    status, refused = started.push({"fn.py": "\nraise RuntimeError('no')"})
    assert (status, refused["code"]) == (400, "ModuleLoadFailed")
    assert (refused["location"]["file"], refused["location"]["line"]) == ("convex/fn.py", 2)
    assert started.call("query", "fn:version") == "second"
    changes = {"changes": [{"name": "GREETING", "value": "hello"}]}
    with SyncSocket(started.url) as client:
        client.subscribe(0, "fn:environment")
        client.transition()
        assert started.request("POST", "/api/update_environment_variables", changes, admin=True)[0] == 200
        client.until_result(0, lambda value: value == "hello")
    assert started.call("query", "fn:secrets") == []
    assert started.call("query", "fn:count") == 3
    assert started.stop() == 0


def test_dead_executors_are_replaced(started: ServerProcess) -> None:
    started.push_ok({"fn.py": APP})
    assert "exited with status 3" in started.failure("mutation", "fn:exits")["errorMessage"]
    assert "exited with status 4" in started.failure("action", "fn:exits_too")["errorMessage"]
    assert "function_cpu_s" in started.failure("query", "fn:endless")["errorMessage"]
    for path in ("fn:my_pid", "fn:query_pid"):
        kind = "action" if path == "fn:my_pid" else "query"
        pid = int(started.call(kind, path))
        os.kill(pid, signal.SIGKILL)
        call = {"path": path, "args": {}}
        answer = wait_for(lambda kind=kind, call=call: _success(started, kind, call), what="another process")
        assert answer["value"] != pid
    assert started.call("mutation", "fn:add", n=1) == 1
    assert started.call("action", "fn:act", n=1) == 2


def test_no_process_stays_behind(started: ServerProcess) -> None:
    started.push_ok({"fn.py": APP})
    started.push_ok({"fn.py": APP.replace("VERSION", "again")})
    pids = {int(started.call("query", "fn:query_pid")), int(started.call("action", "fn:my_pid"))}
    assert len(pids) == 2
    started.kill()
    wait_for(lambda: not any(_runs(pid) for pid in pids), what="the end of the executors")
    started.start()
    pids = {int(started.call("query", "fn:query_pid")), int(started.call("action", "fn:my_pid"))}
    assert started.stop() == 0
    wait_for(lambda: not any(_runs(pid) for pid in pids), what="the end of the executors")


def test_many_executors_leave_room_for_a_push(
    started: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """More processes than the server has worker threads for: nothing may wait in those for a process to end."""
    starter = next(word for word in started._arguments if word in ("fork", "spawn"))
    started.close()
    many = ServerProcess(
        tmp_path_factory.mktemp("many") / "data", "--starter", starter, "--query-executors", "8"
    )
    try:
        for text in ("first", "second"):
            many.push_ok({"fn.py": APP.replace("VERSION", text)})
            assert many.call("query", "fn:version") == text
    finally:
        many.close()


def _success(server: ServerProcess, kind: str, call: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer; an action that was sent to a process that had just died is not run again."""
    answer: dict[str, Any] = server.request("POST", f"/api/{kind}", call)[1]
    return answer if answer["status"] == "success" else None


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
