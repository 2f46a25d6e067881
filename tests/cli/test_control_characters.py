"""What clients send never reaches a terminal or a line log as a control character, and a line stays a line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.terminal import Terminal

pytestmark = pytest.mark.slow

HOSTILE = "a\x1b]0;title\x07\x9b2J\u202eb\r\nERROR forged line\x7f"
COLOURS = re.compile(r"\x1b\[[\d;]*m")
APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string()})})
""",
    "notes.py": """
from convexpy import MutationCtx, mutation

@mutation
def add(ctx: MutationCtx, text: str) -> None:
    print(text)
    ctx.db.insert("notes", {"text": text})

@mutation
def fail(ctx: MutationCtx, text: str) -> None:
    raise ValueError(text)
""",
}


@pytest.fixture
def attacked(project: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """A server with hostile text in its data and its log, chosen by the environment."""
    server.push_ok(APP)
    server.call("mutation", "notes:add", text=HOSTILE)
    server.failure("mutation", "notes:fail", text=HOSTILE)
    server.request("POST", "/api/query", {"path": HOSTILE, "args": {}})
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    return server


def is_safe(text: str) -> bool:
    return all(character.isprintable() or character in "\n\t" for character in text)


def test_in_a_pipe(attacked: ServerProcess, run: Any) -> None:
    for command in (
        ("data", "notes"),
        ("data", "notes", "--format", "jsonl"),
        ("data", "notes", "--json"),
        ("logs", "--success"),
        ("logs", "--columns", "function,message"),
        ("logs", "--jsonl"),
        ("functions", "list"),
        ("status",),
    ):
        ended = run(*command)
        assert is_safe(ended.stdout), command
        assert is_safe(ended.stderr), command
    assert len(run("data", "notes").stdout.splitlines()) == 1
    assert not re.search(r"^ERROR", run("logs").stdout, re.MULTILINE)
    assert [each["text"] for each in run("data", "notes", "--json").json()] == [HOSTILE]
    shown = run("run", "notes:add", json.dumps({"text": HOSTILE}))
    assert is_safe(shown.stderr)
    assert all(line.startswith("[LOG]") for line in shown.stderr.splitlines())


@pytest.mark.parametrize(
    "command", [("data", "notes"), ("logs", "--no-follow"), ("data", "notes", "--format", "csv")]
)
def test_at_a_terminal(attacked: ServerProcess, project: Path, command: tuple[str, ...]) -> None:
    terminal = Terminal(project, *command, screen=True, columns=300)
    shown = COLOURS.sub("", terminal.read_all()).replace("\r\n", "\n")
    terminal.process.wait(60)
    terminal.close()
    assert "forged" in shown
    assert is_safe(shown.replace("\r\n", "\n"))
    if "csv" not in command:  # a quoted value of CSV may hold line breaks
        assert not re.search(r"^ERROR", shown, re.MULTILINE)


def test_in_the_log_of_the_server(attacked: ServerProcess) -> None:
    attacked.stop()
    assert is_safe(attacked.errors())


def test_a_value_asked_for_by_name_is_exact_in_a_pipe(attacked: ServerProcess, run: Any) -> None:
    value = "-----BEGIN KEY-----\nline\x1b\n-----END KEY-----"
    body = {"changes": [{"name": "KEY", "value": value}]}
    assert attacked.request("POST", "/api/update_environment_variables", body, admin=True)[0] == 200
    assert run("env", "get", "KEY").stdout == value + "\n"
