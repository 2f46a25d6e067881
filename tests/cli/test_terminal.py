"""At a real terminal: the wizard asks on stderr, stdout stays the result, Ctrl-C is 130."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")]


def test_the_wizard_takes_answers_and_keeps_stdout_clean(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "init", "app", "--no-install", "--no-git", "--no-agents")
    terminal.wait_for("Project name")
    terminal.type("\r")
    terminal.wait_for("Template")
    terminal.type("\r")
    terminal.wait_for("Sign-in")
    terminal.type("\r")
    terminal.wait_for("Create?")
    terminal.type("y")
    terminal.wait_for("created")
    status, stdout = terminal.close()
    assert (status, stdout) == (0, "")
    assert (tmp_path / "app" / "convex" / "tasks.py").exists()


def test_ctrl_c_at_a_question_is_130_and_writes_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "init", "app")
    terminal.wait_for("Project name")
    terminal.type("\x03")
    status, stdout = terminal.close()
    assert (status, stdout) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_json_never_asks_even_at_a_terminal(tmp_path: Path, run: Any) -> None:
    (tmp_path / "x").write_text("")
    terminal = Terminal(tmp_path, "init", "--json")
    terminal.wait_for("InputRequired")
    assert terminal.close()[0] == 4
