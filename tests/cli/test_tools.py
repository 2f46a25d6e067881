"""The reference page, the documentation in the terminal, completion, and how a copy is updated."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.terminal import Terminal

from convexpy.errors.exit_codes import EXIT_CODES
from convexpy_cli import reference
from convexpy_cli.docs import manual

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_page_is_fresh() -> None:
    fresh = (DOCS / "cli-reference.md").read_text() == reference.page()
    assert fresh, "python -m convexpy_cli.reference > docs/cli-reference.md"


def test_every_error_code_is_explained(run: Any) -> None:
    texts = manual.error_texts()
    assert not EXIT_CODES.keys() - texts.keys()
    sources = "".join(
        file.read_text() for each in ("cli", "src") for file in (DOCS.parent / each).rglob("*.py")
    )
    raised = set(re.findall(r'(?:Failure\(|failed\(|code=)\s*"([A-Z]\w+)"', sources))
    assert not raised - texts.keys()
    for code, status in EXIT_CODES.items():
        assert f"(exit {status})" in texts[code], code
    assert "What to do:" in run("docs", "SchemaMismatch").stdout


def test_pages_are_read_offline(run: Any) -> None:
    pages = {each["topic"]: each["title"] for each in run("docs", "--json").json()}
    assert {"deploying", "serving", "data", "auth", "cli"} <= set(pages)
    assert run("docs", "serving").stdout.startswith(f"# {pages['serving']}")
    refused = run("docs", "servin", "--json", expect=2).error()
    assert (refused["code"], refused["hint"]) == ("TopicNotFound", "did you mean serving?")


def test_pages_are_rendered_at_a_terminal(tmp_path: Path) -> None:
    environment = {"PAGER": "cat", "NO_COLOR": "1"}
    terminal = Terminal(tmp_path, "docs", "mutations", screen=True, columns=90, environment=environment)
    shown = terminal.read_all()
    assert terminal.close()[0] == 0
    assert "Mutations and errors" in shown
    assert "| --- |" not in shown
    assert "**" not in shown
    assert all(len(line) <= 90 for line in shown.splitlines())


def completed(run: Any, *words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash offers for the last of these words."""
    monkeypatch.setenv("_CONVEXPY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    offered = run().stdout.split()
    monkeypatch.delenv("_CONVEXPY_COMPLETE")
    return offered


@pytest.mark.slow
def test_shells_complete_commands_flags_and_names(
    run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, offered in (
        ("sto", "storage"),
        ("storage p", "put"),
        ("storage put --ty", "--type"),
        ("logs --fo", "--follow"),
        ("env list -d lo", "local"),
        ("data --order a", "asc"),
    ):
        assert offered in completed(run, "convexpy", *words.split(), monkeypatch=monkeypatch), words
    run("dev", "--once", "--typecheck", "disable")
    assert completed(run, "convexpy", "run", "notes:l", monkeypatch=monkeypatch) == ["notes:list"]
    assert completed(run, "convexpy", "data", "no", monkeypatch=monkeypatch) == ["notes"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_shell_has_a_completion_script(run: Any, shell: str) -> None:
    text = run("completion", "show", shell).stdout
    assert "_CONVEXPY_COMPLETE" in text
    checker = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}.get(shell)
    if checker is not None and shutil.which(checker[0]):
        subprocess.run([*checker, "/dev/stdin"], input=text, text=True, check=True)


def test_completion_is_installed_and_removed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    startup = tmp_path / ".bashrc"
    startup.write_text("alias x=y\n")
    script = Path(run("completion", "install", "bash").stdout.strip())
    assert script.is_file()
    assert str(script) in startup.read_text()
    run("completion", "uninstall", "bash")
    assert "alias x=y" in startup.read_text()
    assert str(script) not in startup.read_text()
    assert not script.exists()
    assert run("completion", "show", "tcsh", expect=2).stdout == ""


def test_how_this_copy_is_updated(run: Any) -> None:
    found = run("update", "--json").json()
    assert (found["installMethod"], found["command"], found["newest"]) == ("checkout", None, None)
    assert run("update", "--run", expect=2).stdout == ""


def test_json_of_the_manual_is_one_document(run: Any) -> None:
    assert json.loads(run("docs", "errors", "--json").stdout)["topic"] == "errors"
