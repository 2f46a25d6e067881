"""`convexpy shell` and `convexpy run --inline`: Python on the deployment, one transaction for each input."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow
APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v
schema = define_schema({"notes": define_table({"text": v.string()}).index("by_text", ["text"])})
""",
    "notes.py": """
from convexpy import QueryCtx, query

@query
def count(ctx: QueryCtx) -> int:
    return ctx.db.query("notes").count()
""",
}


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against a server with three notes."""
    server.push_ok(APP)

    def run_here(*words: str, **expected: Any) -> Any:
        return run("--url", server.url, "--admin-key", server.admin_key, *words, **expected)

    run_here("data", "insert", "notes", '[{"text": "a"}, {"text": "b"}, {"text": "c"}]')
    return run_here


def test_an_expression_is_a_result(here: Any) -> None:
    assert here("shell", "-c", 'db.query("notes").count()').stdout == "3\n"
    assert here("run", "--inline", '[n["text"] for n in ctx.db.query("notes")]').stdout == '["a","b","c"]\n'
    assert here("run", "--inline", "Int64(5)", "--decode", "--json").json() == "5"
    assert here("run", "--inline", 'ctx.run_query("notes:count", {})', "--json").json() == 3
    assert (
        here("run", "--inline", 'ctx.db.query("notes").order("desc").first()["text"]', "--json").json() == "c"
    )
    assert here("run", "notes:count", "--inline", "1", expect=2).stdout == ""


def test_stdin_is_one_input(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'def twice(n):\n    return 2 * n\nprint("counting")\ntwice(db.query("notes").count())\n'
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    ended = here("shell")
    assert ended.stdout == "6\n"
    assert "counting" in ended.stderr
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "stdin is empty" in here("shell", expect=4).stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("1/0", "ZeroDivisionError"),
        ("x =", "SourceError"),
        ("import socket; socket.create_connection(('127.0.0.1', 1))", "ForbiddenInFunction"),
        ("open('/tmp/never', 'w')", "ForbiddenInFunction"),
        ("import os; os._exit(3)", "ExecutorLost"),
        ("while True: pass", "function_cpu_s"),
        ("db.insert('notes', {'text': 'x'})", "--write"),
        ("db.query('_admin_keys').collect()", "db.system"),
    ],
)
def test_what_fails_is_told_and_costs_nothing(here: Any, code: str, says: str) -> None:
    ended = here("shell", "-c", code, expect=1)
    assert ended.stdout == ""
    assert says in ended.stderr
    assert here("shell", "-c", 'db.query("notes").count()').stdout == "3\n"


def test_system_tables_stay_closed(here: Any) -> None:
    refused = here("shell", "-c", "db.system.query('_admin_keys').collect()", expect=1)
    assert "cannot be read" in refused.stderr


def test_writes_are_shown_and_only_made_when_agreed_to(here: Any) -> None:
    code = 'n = db.query("notes").first()\ndb.patch(n["_id"], {"text": "z"})\ndb.insert("notes", {"text": "new"})'
    refused = here("shell", "--write", "-c", code, expect=9)
    assert "change  notes" in refused.stderr
    assert "insert  notes" in refused.stderr
    assert here("shell", "-c", 'db.query("notes").count()').stdout == "3\n"
    here("shell", "--write", "--yes", "-c", code)
    assert here("run", "--inline", '[n["text"] for n in db.query("notes")]', "--json").json() == [
        "z",
        "b",
        "c",
        "new",
    ]
    bad = here("shell", "--write", "--yes", "-c", 'db.insert("notes", {"text": 3})', expect=8)
    assert "does not match the schema" in bad.stderr


def test_other_changes_than_agreed_are_refused(here: Any, server: ServerProcess) -> None:
    from convexpy.client import AdminClient, Evaluator, FunctionFailed

    client = AdminClient(server.url, server.admin_key)
    evaluator = Evaluator(client, writes=True)
    code = 'for n in db.query("notes"): db.delete(n["_id"])'
    agreed = evaluator.evaluate(code).changes
    assert [each["kind"] for each in agreed] == ["delete"] * 3
    here("data", "insert", "notes", '{"text": "came meanwhile"}')
    with pytest.raises(FunctionFailed) as failed:
        evaluator.evaluate(code, commit=agreed)
    assert failed.value.code == "ChangedMeanwhile"
    assert here("run", "notes:count", "--json").json() == 4
    client.close()


def test_only_an_admin_key_may(here: Any, run: Any, server: ServerProcess) -> None:
    for kind in ("read-only", "deploy"):
        key = here("keys", "create", kind, "--kind", kind).stdout.strip()
        target = ("--url", server.url, "--admin-key", key)
        assert run(*target, "shell", "-c", "1", expect=5).stdout == ""
        body = {"path": "_system/shell:evaluate", "args": {"source": "1"}}
        for route in ("query", "function", "mutation"):
            status, answer, _ = server.request(
                "POST", f"/api/{route}", body, headers={"Authorization": f"Convex {key}"}
            )
            assert (status, answer["code"]) == (403, "OperationNotPermitted")
    status, answer, _ = server.request(
        "POST", "/api/query", {"path": "_system/shell:evaluate", "args": {"source": "1"}}
    )
    assert answer["status"] == "error"


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.main, side = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", *arguments],
            stdin=side, stdout=side, stderr=side, env={**environment, "TERM": "dumb", "COLUMNS": "200"},
        )  # fmt: skip
        os.close(side)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until the text has come."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.main], [], [], 0.5)[0]:
                self.seen += os.read(self.main, 65536).decode()

    def type(self, text: str) -> None:
        """Press keys; what was seen before is forgotten."""
        self.seen = ""
        os.write(self.main, text.encode())


def test_at_a_terminal_inputs_share_variables(here: Any, server: ServerProcess) -> None:
    terminal = Terminal("--url", server.url, "--admin-key", server.admin_key, "shell")
    try:
        terminal.until(">>> ")
        terminal.type("import math\n")
        terminal.until(">>> ")
        terminal.type("def half(n):\n")
        terminal.until("... ")
        terminal.type("    return math.floor(n / 2)\n\n")
        terminal.until(">>> ")
        terminal.type("total = db.query('notes').count()\n")
        terminal.until(">>> ")
        terminal.type("half(total), total\n")
        terminal.until("(1, 3)")
        terminal.type("1/0\n")
        terminal.until("division by zero")
        terminal.seen = terminal.seen.partition("division by zero")[2]
        terminal.until(">>> ")
        terminal.seen = ""
        terminal.process.send_signal(signal.SIGINT)  # drops the line, and ends nothing
        terminal.type("\n")
        terminal.until(">>> ")
        terminal.type("exit\n")
        assert terminal.process.wait(60) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.main)
