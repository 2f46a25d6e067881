"""The reference page, the documentation in the terminal, completion, and how a copy is updated."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convexpy.errors.exit_codes import EXIT_CODES
from convexpy_cli import declared, reference, table
from convexpy_cli.docs import completion_scripts, manual

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_page_is_fresh() -> None:
    fresh = (DOCS / "cli-reference.md").read_text() == reference.page()
    assert fresh, "python -m convexpy_cli.reference > docs/cli-reference.md"


def test_every_command_and_flag_is_in_the_reference() -> None:
    page = (DOCS / "cli-reference.md").read_text()
    for command in declared.commands():
        section = page.partition(f"### {command.name}\n")[2].partition("\n### ")[0]
        assert section, command.name
        for parameter in command.own:
            assert all(name in section for name in parameter.names), command.name
        assert all(example in section for example in command.examples)


def test_every_error_code_is_explained(run: Any) -> None:
    texts = manual.error_texts()
    assert not EXIT_CODES.keys() - texts.keys()
    sources = "".join(file.read_text() for file in (DOCS.parent / "cli").rglob("*.py"))
    raised = set(re.findall(r'Failure\(\s*"(\w+)"', sources))
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


def completed(script: str, *words: str, folder: Path) -> list[str]:
    """What bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    code = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _convexpy; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    ended = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return ended.stdout.split()


def test_bash_completes_commands_flags_and_names(run: Any, project: Path) -> None:
    script = run("completion", "show", "bash").stdout
    assert completed(script, "convexpy", "sto", folder=project) == ["storage"]
    assert completed(script, "convexpy", "storage", "p", folder=project) == ["put"]
    assert completed(script, "convexpy", "storage", "put", "--ty", folder=project) == ["--type"]
    assert "--follow" in completed(script, "convexpy", "logs", "--fo", folder=project)
    run("dev", "--once")
    assert completed(script, "convexpy", "run", "notes:l", folder=project) == ["notes:list"]
    assert completed(script, "convexpy", "data", "no", folder=project) == ["notes"]
    assert (
        project / ".convexpy" / "cache" / "functions"
    ).read_text() == "notes:add\nnotes:count\nnotes:list\n"


@pytest.mark.parametrize("shell", completion_scripts.SHELLS)
def test_every_shell_has_a_script_with_every_command(run: Any, shell: str) -> None:
    text = run("completion", "show", shell).stdout
    assert all(name in text for name in table.names())
    checker = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}.get(shell)
    if checker is not None and shutil.which(checker[0]):
        subprocess.run([*checker, "/dev/stdin"], input=text, text=True, check=True)


def test_only_a_marked_block_is_written_and_taken_back(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    rc = tmp_path / ".bashrc"
    rc.write_text("alias x=y")  # without a newline at the end
    assert run("completion", "install", "bash", "--json", expect=4).error()["code"] == "InputRequired"
    assert rc.read_text() == "alias x=y"
    assert run("completion", "install", "bash", "--yes").stdout.strip() == str(rc)
    once = rc.read_text()
    run("completion", "install", "bash", "--yes")
    assert rc.read_text() == once
    assert once.startswith("alias x=y\n# >>>")
    script = re.findall(r'\. "([^"]+)"', once)[0]
    assert Path(script).read_text() == completion_scripts.bash()
    run("completion", "uninstall", "bash")
    assert rc.read_text() == "alias x=y\n"
    assert not Path(script).exists()
    assert run("completion", "show", "tcsh", expect=2).stdout == ""


def test_how_this_copy_is_updated(run: Any) -> None:
    found = run("update", "--json").json()
    assert (found["installMethod"], found["command"], found["newest"]) == ("checkout", None, None)
    assert run("update", "--run", expect=2).stdout == ""


def test_reading_the_manual_loads_nothing_heavy() -> None:
    code = (
        "import sys; from convexpy_cli.main import run; run(['docs', 'cli']); print('LOADED', *sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.rpartition("LOADED ")[2].split())
    assert not loaded & {"httpx", "rich", "questionary", "sqlite3", "convexpy.sandbox", "convexpy.database"}


def test_json_of_the_manual_is_one_document(run: Any) -> None:
    assert json.loads(run("docs", "errors", "--json").stdout)["topic"] == "errors"
