"""`convexpy dev` against a remote deployment: an index on a large table goes only after a yes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.terminal import Terminal

pytestmark = pytest.mark.slow
DEV = ("dev", "--typecheck", "disable", "--codegen", "disable")
TERMINAL = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytest.fixture
def remote(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A remote deployment for development with two documents; the index on them is gone from the code."""
    server = ServerProcess(tmp_path / "data")
    try:
        monkeypatch.setenv("CONVEXPY_URL", server.url)
        monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
        folder = project / "convex"
        server.push_ok({path.name: path.read_text() for path in folder.glob("*.py")})
        for text in "ab":
            server.call("mutation", "notes:add", text=text)
        schema = folder / "schema.py"
        schema.write_text(schema.read_text().replace('.index("by_text", ["text"])', ""))
        (project / "convexpy.toml").write_text("[deploy]\nlarge-table-documents = 1\n")
        yield server
    finally:
        server.close()


def indexes(run: Any) -> list[str]:
    """The names of the live version's own indexes."""
    (table,) = [each for each in run("data", "--json").json() if each["name"] == "notes"]
    return [index["name"] for index in table["indexes"] if index["name"] == "by_text"]


def test_without_a_terminal_the_push_is_held(remote: ServerProcess, run: Any, project: Path) -> None:
    held = run(*DEV, "--once", "--yes", expect=9)
    assert "error[ConsentRequired]" in held.stderr
    assert "index notes.by_text goes: 2 documents" in held.stderr
    assert "--allow=index-drop:notes.by_text" in held.stderr
    assert indexes(run) == ["by_text"]
    run(*DEV, "--once", "--allow=index-drop")
    assert indexes(run) == []


def test_small_tables_are_not_asked_about(remote: ServerProcess, run: Any, project: Path) -> None:
    (project / "convexpy.toml").write_text("")
    (project / "convex" / "notes.py").write_text("")  # public functions go: nobody asks for that here
    run(*DEV, "--once")
    assert indexes(run) == []


def test_a_watching_loop_holds_until_files_change(
    remote: ServerProcess, run: Any, project: Path, background: Any
) -> None:
    dev = background(project, *DEV, "--json")
    failed = dev.until("pushFailed")
    assert (failed["error"]["code"], failed["retryOn"]) == ("ConsentRequired", "files")
    assert indexes(run) == ["by_text"]
    schema = project / "convex" / "schema.py"
    schema.write_text(schema.read_text().replace("v.string()})", 'v.string()}).index("by_text", ["text"])'))
    dev.until("pushed")
    assert indexes(run) == ["by_text"]


@TERMINAL
def test_in_a_terminal_it_asks(remote: ServerProcess, run: Any, project: Path) -> None:
    declined = Terminal(project, *DEV, "--once", "--yes")
    declined.wait_for("index notes.by_text goes: 2 documents")
    declined.type("n")
    assert declined.close() == (9, "")
    assert indexes(run) == ["by_text"]

    interrupted = Terminal(project, *DEV)
    interrupted.wait_for("Continue?")
    interrupted.type("\x03")
    assert interrupted.close() == (130, "")
    assert indexes(run) == ["by_text"]

    agreed = Terminal(project, *DEV, "--once")
    agreed.wait_for("Continue?")
    agreed.type("y")
    assert agreed.close() == (0, "")
    assert indexes(run) == []
