"""One action does not take others with it: blocked loops, exits, exceptions of any kind, memory."""

from __future__ import annotations

import ast
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import children
from support.processes import ServerProcess, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
BLOCK_S = 3
MIB = 2**20
APP = """
import asyncio, itertools, os, re, signal, sys
from convexpy import action

@action
async def loops(ctx):
    while True:
        pass

@action
async def matches(ctx):
    re.match(r"(a+)+$", "a" * 60 + "b")

@action
async def holds(ctx):
    sum(itertools.repeat(1, 10**12))

@action
def holds_in_thread(ctx):
    sum(itertools.repeat(1, 10**12))

@action
async def swallows(ctx):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

@action
async def waits(ctx, s: float) -> str:
    await asyncio.sleep(s)
    return "waited"

@action
async def quick(ctx) -> int:
    return os.getpid()

@action
async def raises(ctx, what: str):
    kinds = {"SystemExit": SystemExit, "GeneratorExit": GeneratorExit, "KeyboardInterrupt": KeyboardInterrupt,
             "StopIteration": StopIteration, "StopAsyncIteration": StopAsyncIteration,
             "BaseException": BaseException, "CancelledError": asyncio.CancelledError}
    raise kinds[what](3)

@action
def raises_in_thread(ctx, what: str):
    kinds = {"SystemExit": SystemExit, "GeneratorExit": GeneratorExit, "KeyboardInterrupt": KeyboardInterrupt,
             "StopIteration": StopIteration, "BaseException": BaseException}
    raise kinds[what](3)

@action
async def exits_in_task(ctx):
    async def inner():
        sys.exit(3)
    await asyncio.gather(asyncio.create_task(inner()))

@action
async def exits_in_callback(ctx) -> str:
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.sleep(0.05)
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.05)
    return "outlived"

class Loop(Exception):
    pass

@action
async def fails_with_memory(ctx):
    held = bytearray(48 * 2**20)
    error = Loop("failed")
    error.itself = error
    raise error

@action
async def resident(ctx) -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

kept = []

@action
async def takes_all(ctx):
    while True:
        kept.append(bytearray(2**20))

@action
def takes_all_in_thread(ctx):
    while True:
        kept.append(bytearray(2**20))

ctxs = []

@action
async def keeps_ctx(ctx):
    ctxs.append(ctx)

@action
async def uses_kept_ctx(ctx):
    await ctxs[-1].run_query("fn:nothing", {})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("blocked")
    config = folder / "limits.toml"
    config.write_text(
        f"[limits]\naction-loop-block-s = {BLOCK_S}\naction-executor-memory-bytes = {256 * MIB}\n"
        "action-timeout-s = 60\n"
    )
    running = ServerProcess(folder / "data", "--config", str(config))
    running.push_ok({"fn.py": APP})
    yield running
    running.close()


class Calling(threading.Thread):
    """A call that goes on beside the test."""

    def __init__(self, server: ServerProcess, path: str, **args: Any) -> None:
        super().__init__()
        self._call = (server, path, args)
        self.answer: dict[str, Any] = {}
        self.started = time.monotonic()
        self.took_s = 0.0
        self.start()

    def run(self) -> None:
        server, path, args = self._call
        self.answer = server.request("POST", "/api/action", {"path": path, "args": args})[1]
        self.took_s = time.monotonic() - self.started

    def ended(self) -> dict[str, Any]:
        self.join(40)
        assert not self.is_alive()
        return self.answer


def names_a_line_of(path: str, text: str) -> bool:
    """Say whether a text names file and line inside of a function of the app."""
    [body] = [
        node
        for node in ast.parse(APP).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == path.removeprefix("fn:")
    ]
    lines = [int(number) for number in re.findall(r"convex/fn\.py:(\d+)", text)]
    return any(body.lineno < line <= (body.end_lineno or 0) for line in lines)


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("fn:loops", True),
        ("fn:matches", True),
        ("fn:holds", False),
        ("fn:holds_in_thread", False),
        ("fn:swallows", False),
    ],
)
def test_what_blocks_the_loop_is_ended_and_what_had_not_begun_runs_elsewhere(
    server: ServerProcess, path: str, alone: bool
) -> None:
    log = len(server.errors())
    bystander = Calling(server, "fn:waits", s=1.5)
    blocking = Calling(server, path)
    others = [Calling(server, "fn:quick") for _ in range(3)]
    for other in others:
        assert other.ended()["status"] == "success"
        assert other.took_s < BLOCK_S
    answer = blocking.ended()
    assert answer["status"] == "error"
    assert "action_loop_block_s" in answer["errorMessage"]
    assert path in answer["errorMessage"]
    assert names_a_line_of(path, answer["errorMessage"])
    assert names_a_line_of(path, server.errors()[log:])
    ended = bystander.ended()
    if alone:
        assert ended["value"] == "waited"


def test_a_stopped_process_holds_up_only_what_had_begun_in_it(server: ServerProcess) -> None:
    pid = int(server.call("action", "fn:quick"))
    os.kill(pid, signal.SIGSTOP)
    others = [Calling(server, "fn:quick") for _ in range(3)]
    for other in others:
        assert other.ended()["value"] != pid
        assert other.took_s < BLOCK_S


KINDS = ["SystemExit", "GeneratorExit", "KeyboardInterrupt", "StopIteration", "BaseException"]


@pytest.mark.parametrize("what", [*KINDS, "StopAsyncIteration", "CancelledError"])
def test_any_exception_is_an_answer(server: ServerProcess, what: str) -> None:
    pid = int(server.call("action", "fn:quick"))
    for path in ("fn:raises", "fn:raises_in_thread"):
        if path == "fn:raises_in_thread" and what not in KINDS:
            continue
        calling = Calling(server, path, what=what)
        assert calling.ended()["status"] == "error"
        assert what in calling.answer["errorMessage"] or "RuntimeError" in calling.answer["errorMessage"]
        assert "fn.py" in calling.answer["errorMessage"]
        assert calling.took_s < 30
    assert server.call("action", "fn:quick") == pid


def test_an_exit_in_a_task_or_callback_ends_no_other_action(server: ServerProcess) -> None:
    pid = int(server.call("action", "fn:quick"))
    bystander = Calling(server, "fn:waits", s=1.0)
    assert Calling(server, "fn:exits_in_task").ended()["status"] == "error"
    assert Calling(server, "fn:exits_in_callback").ended()["value"] == "outlived"
    assert bystander.ended()["value"] == "waited"
    assert server.call("action", "fn:quick") == pid


def test_the_frames_of_failed_actions_are_freed(server: ServerProcess) -> None:
    before = server.call("action", "fn:resident")
    for _ in range(8):
        server.failure("action", "fn:fails_with_memory")
    assert server.call("action", "fn:resident") < before + 2 * 48 * MIB


@pytest.mark.parametrize("path", ["fn:takes_all", "fn:takes_all_in_thread"])
def test_a_process_at_its_memory_limit_is_replaced(server: ServerProcess, path: str) -> None:
    pid = int(server.call("action", "fn:quick"))
    bystander = Calling(server, "fn:waits", s=1.0)
    answer = server.failure("action", path)
    assert "action_executor_memory_bytes: 256 MiB" in answer["errorMessage"]
    assert path in answer["errorMessage"]
    assert bystander.ended()["status"] in ("success", "error")
    assert server.call("action", "fn:quick") != pid
    wait_for(lambda: not children.is_alive(pid), what="the end of the old process")


def test_a_ctx_is_of_no_use_after_its_call(server: ServerProcess, tmp_path: Path) -> None:
    server.call("action", "fn:keeps_ctx")
    answer = server.failure("action", "fn:uses_kept_ctx")
    assert "after the call had ended" in answer["errorMessage"]
