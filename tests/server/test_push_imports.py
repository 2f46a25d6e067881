"""Modules that do not import: an error with file, line and limit, nothing is left running, the old version serves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import children
from support.processes import ServerProcess, wait_for

IMPORT_S = 1.5
GOOD = "from convexpy import query\n\n@query\ndef answer(ctx) -> int:\n    return 42\n"
HEAD = "import ctypes, itertools, os, signal, subprocess, sys, threading, time\n"
BAD = {
    "loops": ("while True:\n    pass\n", ["import_s: 1.5 s"], True),
    "sleeps": ("time.sleep(100)\n", ["import_s: 1.5 s"], True),
    "holds the interpreter": ("sum(itertools.repeat(1, 10**12))\n", ["import_s: 1.5 s"], True),
    "takes memory": ("kept = bytearray(2**31)\n", ["executor_memory_bytes: 128 MiB"], True),
    "takes memory bit by bit": (
        "kept = []\nwhile True:\n    kept.append(bytearray(2**20))\n",
        ["executor_memory_bytes: 128 MiB"],
        True,
    ),
    "raises BaseException": ("raise BaseException('bad')\n", ["BaseException: bad"], True),
    "raises GeneratorExit": ("raise GeneratorExit\n", ["GeneratorExit"], True),
    "calls sys.exit": ("sys.exit(3)\n", ["SystemExit: 3"], True),
    "calls os._exit": ("os._exit(3)\n", ["exited with status 3", "convex/bad.py"], True),
    "kills itself": ("os.kill(os.getpid(), signal.SIGKILL)\n", ["SIGKILL", "convex/bad.py"], True),
    "crashes": ("ctypes.string_at(0)\n", ["SIGSEGV", "convex/bad.py"], True),
    "aborts": ("os.abort()\n", ["SIGABRT", "convex/bad.py"], True),
    "starts a process and fails": (
        "subprocess.Popen(['sleep', '1234'])\nraise ValueError('after')\n",
        ["ValueError: after"],
        True,
    ),
    "raises a lone surrogate": ("raise ValueError('a\\ud800b')\n", ["ValueError: a\\ud800b"], True),
}


@pytest.fixture(scope="module", params=["fork", "spawn"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("imports")
    config = folder / "limits.toml"
    config.write_text(f"[limits]\nimport-s = {IMPORT_S}\nexecutor-memory-bytes = {128 * 2**20}\n")
    running = ServerProcess(folder / "data", "--config", str(config), "--starter", request.param)
    running.push_ok({"good.py": GOOD})
    yield running
    running.close()


def sleepers() -> list[str]:
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"sleep\x001234" in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("what", BAD)
def test_a_module_that_does_not_import_is_an_error(server: ServerProcess, what: str) -> None:
    body, texts, has_line = BAD[what]
    before = children.children(server.process.pid) if sys.platform == "linux" else []
    started = time.monotonic()
    status, answer = server.push({"good.py": GOOD, "bad.py": HEAD + body})
    took_s = time.monotonic() - started
    assert status == 400, answer
    assert answer["code"] == "ModuleLoadFailed"
    location = answer["data"]["location"] if "location" not in answer else answer["location"]
    said = f"{answer['message']} {location}"
    for text in texts:
        assert text in said, answer
    assert location["file"] == "convex/bad.py"
    if has_line:
        lines = (HEAD + body).count("\n")
        assert 2 <= location["line"] <= lines
    assert took_s < IMPORT_S + 60
    assert server.call("query", "good:answer") == 42
    if sys.platform == "linux":
        wait_for(
            lambda: not sleepers() and len(children.children(server.process.pid)) <= len(before),
            what="the end of what the import started",
        )


def test_a_good_push_follows_a_bad_one(server: ServerProcess) -> None:
    server.push({"good.py": "while True:\n    pass\n"})
    server.push_ok({"good.py": GOOD.replace("42", "43")})
    assert server.call("query", "good:answer") == 43
    server.push_ok({"good.py": GOOD})
