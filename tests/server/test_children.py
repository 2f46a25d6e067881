"""The death of any child is survived, no call is tried without end, and an executor that app code has damaged is replaced."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import children
from support.processes import ServerProcess, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

APP = """
import builtins, os, signal, sys, threading, time
from convexpy import action, mutation, query

@mutation
def mark(ctx, n: int) -> int:
    ctx.db.insert("marks", {"n": n})
    return n

@query
def marks(ctx) -> int:
    return ctx.db.query("marks").count()

@action
async def act(ctx) -> str:
    return "acted"

def close_descriptors():
    os.closerange(3, 256)

def patch_builtin():
    builtins.isinstance = lambda *args: True

def patch_clock():
    time.perf_counter = None

def leave_alarm():
    signal.signal(signal.SIGALRM, lambda *args: None)

def lower_recursion_limit():
    sys.setrecursionlimit(60)

def leave_thread():
    def spin():
        while True:
            pass
    threading.Thread(target=spin, daemon=True).start()

DAMAGES = {f.__name__: f for f in (
    close_descriptors, patch_builtin, patch_clock, leave_alarm, lower_recursion_limit, leave_thread)}

@mutation
def damage(ctx, how: str) -> None:
    ctx.db.insert("marks", {"by": how})
    DAMAGES[how]()

@query
def damage_query(ctx, how: str) -> None:
    DAMAGES[how]()

@mutation
def end_late(ctx) -> None:
    close_descriptors()

@mutation
def end_later(ctx) -> None:
    ctx.scheduler.run_after(0, "fn:end_late", {})

@query
def jobs(ctx):
    return [job["state"]["kind"] for job in ctx.db.system.query("_scheduled_functions")]

@mutation
def pid(ctx) -> int:
    return os.getpid()

@query
def pid_query(ctx) -> int:
    return os.getpid()
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("children") / "data")
    server.push_ok({"fn.py": APP})
    yield server
    server.close()


def works(server: ServerProcess) -> None:
    """Wait for a call of each kind."""

    def all_kinds() -> bool:
        server.call("mutation", "fn:mark", n=1)
        server.call("query", "fn:marks")
        return bool(server.call("action", "fn:act") == "acted")

    wait_for(lambda: _answers(all_kinds), what="a call of each kind")


def _answers(call: Callable[[], bool]) -> bool:
    try:
        return call()
    except AssertionError:
        return False


def version(pid: int) -> list[int]:
    return [children.version_process(pid)]


def server_of_forks(pid: int) -> list[int]:
    return [children.fork_server(pid)]


def everything(pid: int) -> list[int]:
    return [*children.executors(pid), *version(pid), *server_of_forks(pid)]


@pytest.mark.parametrize("victims", [version, server_of_forks, children.executors, everything])
def test_killed_children_are_started_again(
    shared: ServerProcess, victims: Callable[[int], list[int]]
) -> None:
    works(shared)
    for pid in victims(shared.process.pid):
        children.kill(pid)
    works(shared)
    wait_for(lambda: shared.request("GET", "/readyz")[0] == 200, what="readiness")


def test_stopped_executors_are_replaced(shared: ServerProcess) -> None:
    works(shared)
    for pid in children.executors(shared.process.pid):
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    works(shared)
    assert time.monotonic() - started < 60


def test_a_call_under_way_ends_when_its_executor_is_killed(shared: ServerProcess) -> None:
    works(shared)
    stop, errors = threading.Event(), []

    def caller(kind: str, path: str, args: dict[str, Any]) -> None:
        while not stop.is_set():
            status, answer, _ = shared.request(
                "POST", f"/api/{kind}", {"path": path, "args": args, "format": "json"}
            )
            if status != 200 or ("errorMessage" in answer and "ended" not in answer["errorMessage"]):
                errors.append(answer)

    threads = [
        threading.Thread(target=caller, args=each)
        for each in [("mutation", "fn:mark", {"n": 1}), ("query", "fn:marks", {}), ("action", "fn:act", {})]
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            for pid in children.executors(shared.process.pid):
                children.kill(pid)
            wait_for(lambda: shared.request("GET", "/readyz")[0] == 200, what="readiness")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []


def test_health_names_what_is_missing(shared: ServerProcess) -> None:
    works(shared)
    base = children.fork_server(shared.process.pid)
    os.kill(base, signal.SIGSTOP)  # first, or it may have made another process already
    try:
        os.kill(children.version_process(shared.process.pid), signal.SIGKILL)
        missing = [b"no executor for mutations", b"no executor for queries"]
        wait_for(
            lambda: all(text in shared.request("GET", "/readyz")[1] for text in missing),
            what="the loss to be noticed",
        )
        assert shared.request("GET", "/readyz")[0] == 503
        assert b"no executor for mutations" in shared.request("GET", "/healthz")[1]
    finally:
        os.kill(base, signal.SIGCONT)
    works(shared)
    assert shared.request("GET", "/healthz")[1] == b"ok"


@pytest.mark.parametrize(
    "how",
    [
        "close_descriptors",
        "patch_builtin",
        "patch_clock",
        "leave_alarm",
        "lower_recursion_limit",
        "leave_thread",
    ],
)
@pytest.mark.parametrize("kind", ["mutation", "query"])
def test_a_damaged_executor_is_replaced(shared: ServerProcess, kind: str, how: str) -> None:
    works(shared)
    pid_of = "fn:pid" if kind == "mutation" else "fn:pid_query"
    before, log = shared.call(kind, pid_of), len(shared.errors())
    path = "fn:damage" if kind == "mutation" else "fn:damage_query"
    marks = shared.call("query", "fn:marks")
    status, answer, _ = shared.request(
        "POST", f"/api/{kind}", {"path": path, "args": {"how": how}, "format": "json"}
    )
    assert status == 200
    if "errorMessage" in answer:
        assert path in answer["errorMessage"]
        assert shared.call("query", "fn:marks") == marks  # failed means that nothing was written
    wait_for(lambda: _answers(lambda: shared.call(kind, pid_of) != before), what="another executor")
    if how not in (
        "close_descriptors",
        "patch_builtin",
    ):  # after these it may be too broken to say what happened
        assert "app code has damaged it" in shared.errors()[log:]
    for n in range(20):
        assert shared.call("mutation", "fn:mark", n=n) == n
        shared.call("query", "fn:marks")


def test_a_job_that_ends_its_executor_after_it_returned_is_not_tried_for_ever(shared: ServerProcess) -> None:
    works(shared)
    shared.call("mutation", "fn:end_later")

    wait_for(lambda: _answers(lambda: shared.call("query", "fn:jobs") == ["failed"]), what="the job to fail")
    for n in range(50):
        assert shared.call("mutation", "fn:mark", n=n) == n


def test_mutations_wait_for_no_process_to_start(shared: ServerProcess) -> None:
    works(shared)
    writes, reads = int(shared.call("mutation", "fn:pid")), int(shared.call("query", "fn:pid_query"))
    version_pid = children.version_process(shared.process.pid)
    os.kill(version_pid, signal.SIGSTOP)  # no executor can be started
    try:
        os.kill(writes, signal.SIGKILL)
        assert shared.call("mutation", "fn:pid") == reads
        before = shared.call("mutation", "fn:mark", n=1)
        assert before == 1
    finally:
        os.kill(version_pid, signal.SIGCONT)
    works(shared)
