"""Random bytes: never the same twice, also after a fork, and never from a generator that its outputs give away."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from convexpy.runtime import SecureRandom
from convexpy.runtime._random import BLOCK_BYTES

SOURCES = Path(__file__).parents[3] / "src" / "convexpy"
FOR_FUNCTIONS = {
    "functions/_context.py",
    "functions/_host.py",
    "sandbox/host.py",
    "sandbox/running_action.py",
    "sandbox/worker.py",
}
"""Where `random.Random` is what functions get, seeded with bytes of the operating system."""


def test_pieces_of_a_block_never_repeat() -> None:
    source = SecureRandom()
    pieces = [source.randbytes(14) for _ in range(2000)]
    assert {len(piece) for piece in pieces} == {14}
    assert len(set(pieces)) == 2000
    assert len(source.randbytes(BLOCK_BYTES * 2)) == BLOCK_BYTES * 2
    assert source.randbytes(0) == b""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_starts_with_a_block_of_its_own() -> None:
    source = SecureRandom()
    source.randbytes(1)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(write, source.randbytes(64))
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 64) != source.randbytes(64)
    os.close(read)
    os.close(write)


@pytest.mark.slow
def test_nothing_of_the_server_draws_from_a_mersenne_twister() -> None:
    users: set[str] = set()
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if "random" in names or module == "random":
                users.add(file.relative_to(SOURCES).as_posix())
    assert users <= FOR_FUNCTIONS
