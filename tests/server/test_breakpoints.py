"""`breakpoint()` in functions: one call stands still, everything else goes on, and what is committed is up to date."""

from __future__ import annotations

import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.paused import DebuggerSocket
from support.processes import ServerProcess, wait_for
from support.production import ProductionServer
from support.sockets import SyncSocket

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets with a path")

APP = """
import time
from convexpy import action, internal_mutation, mutation, query

@query
def look(ctx, name: str) -> str:
    text = name.upper()
    breakpoint()
    answer = text + "!"
    return answer

@query
def count(ctx) -> int:
    return ctx.db.query("marks").count()

@query
def count_slowly(ctx) -> int:
    breakpoint()
    return ctx.db.query("marks").count()

@mutation
def mark(ctx, n: int) -> int:
    before = ctx.db.query("marks").count()
    ctx.db.insert("marks", {"n": n, "before": before})
    return before

@mutation
def mark_slowly(ctx, n: int) -> int:
    before = ctx.db.query("marks").count()
    breakpoint()
    ctx.db.insert("marks", {"n": n, "before": before})
    return before

@mutation
def mark_in_the_second_lane(ctx, n: int, pause: bool) -> int:
    before = ctx.db.query("marks").count()
    ctx.db.insert("marks", {"n": n, "before": before})
    if pause:
        breakpoint()
    else:
        time.sleep(0.2)
    return before

@mutation
def stubborn(ctx) -> str:
    try:
        breakpoint()
        x = 1
    except Exception:
        return "held up"
    return "went on"

@mutation
def outer(ctx) -> int:
    value = ctx.run_mutation("app:inner", {"n": 1})
    breakpoint()
    return value + 1

@internal_mutation
def inner(ctx, n: int) -> int:
    breakpoint()
    ctx.db.insert("marks", {"n": n})
    return n * 10

@action
async def walk(ctx, n: int) -> int:
    total = n
    breakpoint()
    total += await ctx.run_query("app:count", {})
    return total

@action
def walk_plain(ctx, n: int) -> int:
    breakpoint()
    return n + 1

@action
async def quick(ctx) -> int:
    return 7

@mutation
def later(ctx) -> None:
    ctx.scheduler.run_after(0, "app:job", {})

@internal_mutation
def job(ctx) -> None:
    breakpoint()
    ctx.db.insert("marks", {"n": 99})

@query
def many(ctx) -> int:
    for _ in range(2000):
        breakpoint()
    return 5
"""

HTTP = """
from convexpy import PlainTextResponse, http_router

http = http_router()

@http.route("/stop", method="GET")
async def stop(ctx, request):
    breakpoint()
    return PlainTextResponse("stopped")
"""


@pytest.fixture
def debugger() -> Iterator[DebuggerSocket]:
    listening = DebuggerSocket()
    yield listening
    listening.close()


@pytest.fixture
def paused_server(start_server: Any, debugger: DebuggerSocket) -> ServerProcess:
    server: ServerProcess = start_server(
        "--function-cpu-s", "0.3", env={"CONVEXPY_DEBUGGER": debugger.address}
    )
    server.push_ok({"app.py": APP})
    return server


class Running:
    """A request in a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.value: Any = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self.value = work()
        except BaseException as error:
            self.value = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(60)
        assert self.done, "no answer"
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def test_a_query_pauses_beyond_its_limits_while_others_run(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    call = Running(lambda: server.call("query", "app:look", name="ann"))
    paused = debugger.next()
    assert paused.head["function"] == "app:look"
    assert (paused.head["file"], paused.head["line"]) == ("convex/app.py", 9)
    shown = paused.read_prompt()
    assert "convex/app.py(9)look()" in shown
    assert '-> answer = text + "!"' in shown
    assert "'ANN'" in paused.type("p text")
    assert "text = name.upper()" in paused.type("l")
    where = paused.type("w")
    assert "convex/app.py(9)look()" in where
    assert "convexpy" not in where
    paused_at = time.monotonic()
    # The wall limit is 5 x 0.3 s: longer than that, others go on.
    while time.monotonic() - paused_at < 2.0:
        assert server.call("query", "app:count") == 0
    paused.type("text = 'BOB'")
    assert "return answer" in paused.type("n")
    assert "'BOB!'" in paused.type("p answer")
    paused.goes_on()
    assert call.result() == "BOB!"
    assert server.call("query", "app:count") == 0


def test_a_mutation_that_was_overtaken_runs_again_on_the_newest_state(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    call = Running(lambda: server.call("mutation", "app:mark_slowly", n=1))
    paused = debugger.next()
    paused.read_prompt()
    assert "0" in paused.type("p before")
    assert [server.call("mutation", "app:mark", n=n) for n in (2, 3)] == [0, 1]
    # A push waits for no debugger, and what runs again runs the new code.
    server.push_ok({"app.py": APP.replace("return before", "return before + 100")})
    assert server.call("mutation", "app:mark", n=4) == 102
    assert not call.done
    assert "0" in paused.type("p before")
    paused.goes_on()
    assert call.result() == 103
    assert server.call("query", "app:count") == 4
    assert debugger.is_quiet(0.2)


def test_in_the_second_lane_it_counts_unless_it_was_overtaken(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    path = "app:mark_in_the_second_lane"
    assert server.call("mutation", path, n=0, pause=False) == 0
    call = Running(lambda: server.call("mutation", path, n=1, pause=True))
    paused = debugger.next()
    paused.read_prompt()
    paused.type("before = 77")
    paused.goes_on()
    assert call.result() == 77
    assert server.call("mutation", path, n=2, pause=False) == 2
    call = Running(lambda: server.call("mutation", path, n=3, pause=True))
    paused = debugger.next()
    paused.read_prompt()
    assert server.call("mutation", "app:mark", n=4) == 3
    paused.type("before = 77")
    paused.goes_on()
    assert call.result() == 4
    assert server.call("query", "app:count") == 5
    # One that stands still holds up no stop.
    assert server.call("mutation", path, n=5, pause=False) == 5
    Running(lambda: server.failure("mutation", path, n=6, pause=True))
    debugger.next().read_prompt()
    assert server.stop() == 0


def test_mutations_of_one_client_keep_their_order(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    with SyncSocket(paused_server.url) as socket:
        socket.mutation(0, "app:mark_slowly", n=0)
        socket.mutation(1, "app:mark", n=1)
        paused = debugger.next()
        paused.read_prompt()
        assert paused_server.call("mutation", "app:mark", n=7) == 0
        paused.goes_on()
        assert [socket.response(request)["result"] for request in (0, 1)] == [1.0, 2.0]


def test_subscriptions_of_others_go_on(paused_server: ServerProcess, debugger: DebuggerSocket) -> None:
    with SyncSocket(paused_server.url) as watching, SyncSocket(paused_server.url) as stuck:
        watching.subscribe(0, "app:count")
        stuck.subscribe(0, "app:count_slowly")
        paused = debugger.next()
        paused.read_prompt()
        paused_server.call("mutation", "app:mark", n=1)
        watching.until_result(0, lambda value: value == 1)
        paused.goes_on()
        again = debugger.next()  # it was computed before the write, so it is stale, and runs again
        again.goes_on()
        stuck.until_result(0, lambda value: value == 1)


def test_quitting_ends_the_call_and_nothing_else(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    for kind, path, args in (
        ("query", "app:look", {"name": "x"}),
        ("mutation", "app:stubborn", {}),
        ("action", "app:walk", {"n": 1}),
        ("action", "app:walk_plain", {"n": 1}),
    ):
        call = Running(lambda kind=kind, path=path, args=args: server.failure(kind, path, **args))
        paused = debugger.next()
        paused.read_prompt()
        paused.goes_on("q")
        assert "DebuggerQuit: the debugger was quit" in call.result()["errorMessage"], path
    assert server.call("query", "app:count") == 0
    assert server.call("action", "app:quick") == 7


def test_nobody_at_the_other_end_means_go_on(paused_server: ServerProcess, debugger: DebuggerSocket) -> None:
    server = paused_server
    call = Running(lambda: server.call("mutation", "app:mark_slowly", n=1))
    paused = debugger.next()
    paused.read_prompt()
    paused.close()
    assert call.result() == 0
    debugger.close()
    assert server.call("mutation", "app:mark_slowly", n=2) == 1
    assert server.call("query", "app:many") == 5


def test_two_breakpoints_and_nested_calls(paused_server: ServerProcess, debugger: DebuggerSocket) -> None:
    server = paused_server
    call = Running(lambda: server.call("mutation", "app:outer"))
    first = debugger.next()
    assert "inner()" in first.read_prompt()
    where = first.type("w")
    assert where.index("outer()") < where.index("inner()")
    first.type("u")
    assert "run_mutation" in first.type("l .")
    first.goes_on()
    second = debugger.next()
    assert "outer()" in second.read_prompt()
    assert "10" in second.type("p value")
    second.goes_on()
    assert call.result() == 11
    assert server.call("query", "app:count") == 1
    assert debugger.is_quiet(0.2)


def test_breakpoints_set_at_the_prompt_are_met(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    call = Running(lambda: paused_server.call("query", "app:look", name="ann"))
    paused = debugger.next()
    paused.read_prompt()
    assert "Breakpoint 1 at convex/app.py:10" in paused.type("b app.py:10")
    paused.goes_on()
    again = debugger.next()
    assert "return answer" in again.read_prompt()
    again.goes_on()
    assert call.result() == "ANN!"


def test_stepping_out_of_the_function_ends_the_pause(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    for kind, path, args in (
        ("query", "app:look", {"name": "x"}),
        ("action", "app:walk", {"n": 1}),
        ("action", "app:walk_plain", {"n": 1}),
    ):
        call = Running(lambda kind=kind, path=path, args=args: paused_server.call(kind, path, **args))
        paused = debugger.next()
        steps = 0
        while paused.prompts_again():
            paused.send("n")
            steps += 1
        assert 2 <= steps <= 5, path
        call.result()
        paused.close()
    assert paused_server.call("action", "app:quick") == 7


@pytest.mark.parametrize("path", ["app:walk", "app:walk_plain"])
def test_an_action_stands_still_and_others_go_on(
    paused_server: ServerProcess, debugger: DebuggerSocket, path: str
) -> None:
    server = paused_server
    call = Running(lambda: server.call("action", path, n=1))
    paused = debugger.next()
    paused.read_prompt()
    assert [server.call("action", "app:quick") for _ in range(3)] == [7, 7, 7]
    assert "1" in paused.type("p n")
    paused.goes_on()
    assert call.result() == (1 if path == "app:walk" else 2)


def test_the_timeout_of_an_action_stands_still(
    start_server: Any, debugger: DebuggerSocket, tmp_path: Any
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text("[limits]\naction_timeout_s = 1.0\n")
    server = start_server("--config", str(limits), env={"CONVEXPY_DEBUGGER": debugger.address})
    server.push_ok({"app.py": APP})
    for path in ("app:walk", "app:walk_plain"):
        call = Running(lambda path=path: server.call("action", path, n=1))
        paused = debugger.next()
        paused.read_prompt()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert server.call("action", "app:quick") == 7
        paused.goes_on()
        assert call.result() >= 1


def test_two_calls_pause_at_once(paused_server: ServerProcess, debugger: DebuggerSocket) -> None:
    server = paused_server
    calls = [Running(lambda n=n: server.call("query", "app:look", name=f"n{n}")) for n in range(3)]
    paused = [debugger.next() for _ in calls]
    assert server.call("query", "app:count") == 0
    for each in reversed(paused):
        each.read_prompt()
        each.goes_on()
    assert sorted(call.result() for call in calls) == ["N0!", "N1!", "N2!"]


def test_so_many_may_pause_and_no_more(paused_server: ServerProcess, debugger: DebuggerSocket) -> None:
    server = paused_server
    calls = [Running(lambda n=n: server.call("query", "app:look", name=f"n{n}")) for n in range(8)]
    paused = [debugger.next() for _ in calls]
    answer = server.request("POST", "/api/query", {"path": "app:look", "args": {"name": "more"}})[1]
    assert answer["value"] == "MORE!"
    assert answer["logLines"] == ["[WARN] breakpoint() skipped: many calls are paused already"]
    for each in paused:
        each.read_prompt()
        each.goes_on()
    assert {call.result() for call in calls} == {f"N{n}!" for n in range(8)}
    again = Running(lambda: server.call("query", "app:look", name="x"))
    debugger.next().goes_on()
    assert again.result() == "X!"


def test_http_actions_and_fresh_interpreters(start_server: Any, debugger: DebuggerSocket) -> None:
    server = start_server("--starter", "spawn", env={"CONVEXPY_DEBUGGER": debugger.address})
    server.push_ok({"app.py": APP, "http.py": HTTP})

    def get() -> Any:
        with urllib.request.urlopen(f"{server.site_url}/stop", timeout=200) as response:
            return response.read()

    for work, value in (
        (get, b"stopped"),
        (lambda: server.call("query", "app:look", name="x"), "X!"),
        (lambda: server.call("mutation", "app:mark_slowly", n=1), 0),
    ):
        call = Running(work)
        paused = debugger.next()
        paused.read_prompt()
        assert "breakpoint()" in paused.type("l")
        paused.goes_on()
        assert call.result() == value


def test_a_job_runs_once_and_quitting_it_is_its_end(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    server.call("mutation", "app:later")
    paused = debugger.next()
    paused.read_prompt()
    server.call("mutation", "app:mark", n=1)
    paused.goes_on()
    wait_for(lambda: server.call("query", "app:count") == 2, what="the job's write")
    server.call("mutation", "app:later")
    paused = debugger.next()
    paused.read_prompt()
    paused.goes_on("q")
    assert debugger.is_quiet(0.5)
    assert server.call("query", "app:count") == 2


def test_an_executor_that_dies_while_paused_fails_that_call_only(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    server = paused_server
    call = Running(lambda: server.failure("mutation", "app:mark_slowly", n=1))
    paused = debugger.next()
    paused.read_prompt()
    paused.send("import os; os._exit(3)")
    message = call.result()["errorMessage"]
    assert "app:mark_slowly ended its executor while it was debugged" in message
    assert server.call("mutation", "app:mark", n=2) == 0


def test_a_server_with_a_paused_mutation_stops(
    paused_server: ServerProcess, debugger: DebuggerSocket
) -> None:
    Running(lambda: paused_server.failure("mutation", "app:mark_slowly", n=1))
    debugger.next().read_prompt()
    assert paused_server.stop() == 0


def test_without_a_terminal_a_breakpoint_is_one_line_in_the_log(server: ServerProcess) -> None:
    server.push_ok({"app.py": APP})
    for kind, path, args, value in (
        ("query", "app:look", {"name": "ann"}, "ANN!"),
        ("query", "app:many", {}, 5),
        ("mutation", "app:mark_slowly", {"n": 1}, 0),
        ("action", "app:walk", {"n": 1}, 2),
        ("action", "app:walk_plain", {"n": 1}, 2),
    ):
        answer = server.request("POST", f"/api/{kind}", {"path": path, "args": args})[1]
        assert answer.get("value") == value, answer
        assert answer["logLines"] == ["[WARN] breakpoint() skipped: no terminal of `convexpy dev`"]


def test_a_production_server_takes_no_debugger(tmp_path: Path, debugger: DebuggerSocket) -> None:
    server = ProductionServer(tmp_path / "data", env={"CONVEXPY_DEBUGGER": debugger.address})
    try:
        server.push_ok({"app.py": APP})
        assert server.call("query", "app:look", name="ann") == "ANN!"
        assert server.call("mutation", "app:mark_slowly", n=1) == 0
        assert debugger.is_quiet(0.1)
    finally:
        server.close()
