"""What the tests of the command line share: running it, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convexpy_cli import main

ROOT = Path(__file__).parents[2]

SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string()}).index("by_text", ["text"])})
"""
NOTES = """
from ._generated.server import MutationCtx, QueryCtx, internal_query, mutation, query


@query(name="list")
def list_(ctx: QueryCtx, limit: int = 10) -> list[str]:
    print("listing")
    return [note["text"] for note in ctx.db.query("notes").take(limit)]


@mutation
def add(ctx: MutationCtx, text: str) -> None:
    if not text:
        raise ValueError("empty")
    ctx.db.insert("notes", {"text": text})


@internal_query
def count(ctx: QueryCtx) -> int:
    return ctx.db.query("notes").count()
"""


@dataclass
class Result:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)

    def error(self) -> dict[str, Any]:
        """The error object on the last line of stderr; stdout must be empty."""
        assert self.stdout == ""
        error: dict[str, Any] = json.loads(self.stderr.strip().splitlines()[-1])["error"]
        return error


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings reaches a test."""
    for name in list(os.environ):
        if name.startswith(("CONVEX", "VITE_", "GIT_")) or name in (
            "CI",
            "NO_COLOR",
            "FORCE_COLOR",
            "CLAUDECODE",
            "AI_AGENT",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONVEXPY_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT / 'cli'}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    # Commands in messages are named without their path.
    monkeypatch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project; the current folder is inside of it."""
    root = tmp_path / "app"
    (root / "convex").mkdir(parents=True)
    (root / "convexpy.toml").write_text('[project]\nname = "app"\n')
    (root / "convex" / "schema.py").write_text(SCHEMA)
    (root / "convex" / "notes.py").write_text(NOTES)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: `run("version", "--json", expect=0)`."""

    def run(*arguments: str, expect: int = 0) -> Result:
        capfd.readouterr()
        status = main.run(list(arguments))
        result = Result(status, *capfd.readouterr())
        assert status == expect, result
        return result

    return run


class Background:
    """A command in a process of its own that goes on, and its lines as they come."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []

    def until(self, name: str) -> dict[str, Any]:
        """Return the next event of this name. The test's own time limit is the deadline."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"it ended before {name!r}: {self.events}\n{self.process.stderr.read()}")

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=200)
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def background() -> Iterator[Callable[..., Background]]:
    """Start a command that goes on: `background(folder, "dev", "--json")`."""
    started: list[Background] = []

    def start(folder: Path, *arguments: str) -> Background:
        started.append(Background(folder, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()
