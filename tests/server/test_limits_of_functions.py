"""Functions that misbehave: the caller gets an error that names function and limit, others go on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

MISBEHAVING = """
import os
from convexpy import mutation, query, action

@mutation
def endless(ctx):
    ctx.db.insert("marks", {"by": "endless"})
    while True:
        pass

@query
def endless_query(ctx):
    while True:
        pass

@mutation
def exits(ctx):
    ctx.db.insert("marks", {"by": "exits"})
    os._exit(1)

@query
def exits_query(ctx):
    os._exit(1)

@mutation
def hungry(ctx):
    return len(bytearray(8 * 2**30))

@query
def hungry_query(ctx):
    grown = []
    while True:
        grown.append(bytes(2**26))  # not touched: memory is meant to run out, not time

@query
def deep(ctx):
    def down(n):
        return down(n + 1)
    return down(0)

@mutation
def loud(ctx):
    print("x" * (100 * 2**20))

@query
def sleepy(ctx):
    import time
    time.sleep(60)

@query
def exits_often(ctx):
    os._exit(1)

@query
def pid(ctx) -> int:
    return os.getpid()

@action
async def busy(ctx):
    while True:
        pass

@action
async def quick(ctx) -> int:
    return 7

@mutation
def mark(ctx, n: int) -> int:
    ctx.db.insert("marks", {"n": n})
    return n

@query
def marks(ctx) -> int:
    return ctx.db.query("marks").count()
"""


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp("bad") / "data", "--function-cpu-s", "0.5", "--memory-mib", "256"
    )
    server.push_ok({"bad.py": MISBEHAVING})
    yield server
    server.close()


@pytest.mark.parametrize(
    ("kind", "function", "names"),
    [
        ("mutation", "endless", ["bad:endless", "function_cpu_s"]),
        ("query", "endless_query", ["bad:endless_query", "function_cpu_s"]),
        ("mutation", "exits", ["bad:exits", "exited with status 1"]),
        ("query", "exits_query", ["bad:exits_query", "exited with status 1"]),
        ("mutation", "hungry", ["bad:hungry", "executor_memory_bytes"]),
        ("query", "hungry_query", ["bad:hungry_query", "executor_memory_bytes"]),
        ("query", "deep", ["bad:deep", "recursion_depth"]),
        ("mutation", "loud", ["bad:loud", "log_bytes_per_call"]),
        ("query", "sleepy", ["bad:sleepy", "function_wall_s"]),
    ],
)
def test_a_misbehaving_function_fails_by_name_and_others_go_on(
    misbehaving: ServerProcess, kind: str, function: str, names: list[str]
) -> None:
    server = misbehaving
    marks = server.call("query", "bad:marks")
    stop = threading.Event()
    done: list[int] = []
    errors: list[str] = []

    def bystander() -> None:
        n = 0
        while not stop.is_set():
            try:
                assert server.call("mutation", "bad:mark", n=n) == n
                server.call("query", "bad:marks")
                done.append(n)
            except AssertionError as error:
                errors.append(str(error))
            n += 1

    thread = threading.Thread(target=bystander)
    thread.start()
    try:
        started = time.monotonic()
        answer = server.failure(kind, f"bad:{function}")
        took = time.monotonic() - started
        for name in names:
            assert name in answer["errorMessage"], answer
        assert took < 40.0, took  # far from endless; the limit itself is in the message
        before = len(done)
        wait_for(lambda: len(done) > before + 3, what="the bystander's further calls")
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert server.call("query", "bad:marks") == marks + len(done)


@contextlib.contextmanager
def busy_processor() -> Iterator[int]:
    """Keep one processor busy with six endless loops, each in a session of its own so that it counts in full."""
    processor = min(os.sched_getaffinity(0))
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(6)
    ]
    try:
        for loop in loops:
            os.sched_setaffinity(loop.pid, {processor})
        yield processor
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes, as Linux can")
def test_a_function_is_told_the_same_limit_on_a_busy_processor(start_server: Any) -> None:
    server: ServerProcess = start_server("--function-cpu-s", "0.2")
    server.push_ok({"bad.py": MISBEHAVING})
    with busy_processor() as processor:
        for function, limit in (
            ("endless_query", "function_cpu_s: 0.2 s"),
            ("sleepy", "function_wall_s: 1 s"),
        ):
            os.sched_setaffinity(int(server.call("query", "bad:pid")), {processor})
            assert limit in server.failure("query", f"bad:{function}")["errorMessage"]


def test_an_action_that_keeps_its_loop_busy_does_not_stop_other_actions(server: ServerProcess) -> None:
    server.push_ok({"bad.py": MISBEHAVING})

    def call_busy() -> None:
        with contextlib.suppress(OSError):  # it ends with the server
            server.request("POST", "/api/action", {"path": "bad:busy", "args": {}})

    thread = threading.Thread(target=call_busy)
    thread.start()
    assert server.call("action", "bad:quick") == 7
    assert server.call("action", "bad:quick") == 7
    server.kill()
    thread.join()


def test_a_function_that_keeps_killing_executors_is_refused_for_a_while(misbehaving: ServerProcess) -> None:
    for _ in range(3):
        assert "exited" in misbehaving.failure("query", "bad:exits_often")["errorMessage"]
    assert "is refused for 10 s" in misbehaving.failure("query", "bad:exits_often")["errorMessage"]
    assert isinstance(misbehaving.call("query", "bad:marks"), float)
