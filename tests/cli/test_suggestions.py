"""Commands that messages suggest exist with their flags, and are written so that they run in the terminal that shows them."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from convexpy_cli import main
from convexpy_cli.docs.installed import runnable_here

ROOT = Path(__file__).parents[2]
_SUGGESTION = re.compile(r"(?<![\w./-])convexpy ([a-z]+\b[^,;:`\n()|>]*)")


def texts(file: Path) -> Iterator[str]:
    """Yield the strings of a module that are no docstrings; what is filled in is X."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in bare | inner:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def suggestions() -> list[str]:
    """Return every text after `convexpy` that begins with a command."""
    files = [*(ROOT / "cli" / "convexpy_cli").rglob("*.py"), *(ROOT / "src" / "convexpy").rglob("*.py")]
    found = {each[1].strip() for file in files for text in texts(file) for each in _SUGGESTION.finditer(text)}
    prose = ("deployment server", "deployment X. Connect")
    return sorted(text for text in found if text.split()[0] in main.NAMES and not text.startswith(prose))


def flags(command: Any) -> set[str]:
    return {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("text", suggestions())
def test_a_suggested_command_exists_with_its_flags(text: str) -> None:
    try:
        words = shlex.split(text.rstrip("."))
    except ValueError:  # cut off within quotes
        words = text.split()
    command: Any = get_command(main.app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        inner = command.get_command(None, words[0])
        if inner is None:
            break
        command, words = inner, words[1:]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert "*" in command.commands, text
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"--help"}
    given = {flag for flag in given if not flag.endswith("-X")}
    if hasattr(command, "commands"):
        command = command.commands.get("*", command)
    assert given <= flags(command), text


def test_a_suggestion_has_the_path_and_the_deployment_that_it_needs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    suggested = runnable_here("convexpy version, or convexpy env set A B", main.NAMES, "prod")
    first, second = suggested.split(", or ")
    assert subprocess.run(shlex.split(first), capture_output=True, check=True, text=True).stdout
    assert second.endswith(" -d prod env set A B")
    assert runnable_here("convexpy runs here", main.NAMES) == "convexpy runs here"
    assert "-d prod" not in runnable_here("convexpy env set A B -d staging", main.NAMES, "prod")


def test_an_error_of_another_deployment_suggests_commands_for_it(
    run: Any, project: Path, server: Any
) -> None:
    monkey = ("--url", server.url, "--key", server.admin_key)
    run("deployment", "add", "lab", *monkey)
    assert " -d lab env set NOPE" in run("-d", "lab", "env", "get", "NOPE", expect=1).stderr
    assert (
        run("-d", "lab", "env", "get", "NOPE", "--json", expect=1).error()["hint"] == "convexpy env set NOPE"
    )
