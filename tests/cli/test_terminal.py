"""At a real terminal: the wizard asks on stderr, stdout stays the result, Ctrl-C is 130."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
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


def test_no_is_an_answer_and_no_error(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "init", "app", "--no-install", "--no-git", "--no-agents", "-t", "minimal")
    terminal.wait_for("Project name")
    terminal.type("\r")
    terminal.wait_for("Sign-in")
    terminal.type("\r")
    terminal.wait_for("Create?")
    terminal.type("n")
    terminal.wait_for("Cancelled.")
    assert terminal.close() == (9, "")
    assert "error" not in terminal.seen
    assert list(tmp_path.iterdir()) == []


def test_long_work_has_a_named_spinner_at_a_terminal(project: Path) -> None:
    checker = project / "checker.sh"
    checker.write_text("#!/bin/sh\nwhile [ ! -e done ]; do sleep 0.05; done\n")
    checker.chmod(0o755)
    terminal = Terminal(project, "typecheck", "--checker", "./checker.sh", screen=True)
    terminal.wait_for("⠋ checking types with ./checker.sh")
    (project / "done").touch()
    terminal.wait_for("no errors")
    assert terminal.close()[0] == 0


def test_a_first_push_that_takes_long_says_what_it_does(project: Path) -> None:
    wait = f"while not pathlib.Path({str(project / 'done')!r}).exists():\n    time.sleep(0.05)\n"
    (project / "convex" / "slow.py").write_text(f"import pathlib, time\n{wait}")
    terminal = Terminal(project, "dev", "--once", "--typecheck", "disable", screen=True)
    terminal.wait_for("loading the functions")
    (project / "done").touch()
    terminal.wait_for("ready: ")
    assert terminal.close()[0] == 0


def test_elsewhere_long_work_is_a_line(project: Path, run: Any) -> None:
    assert run("typecheck", "--checker", "true").stderr.startswith("checking types with true\n")
    assert "checking" not in run("typecheck", "--checker", "true", "--json").stderr


def test_what_an_installer_says_is_shown_if_it_fails(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = tmp_path / "bin" / "uv"
    installer.parent.mkdir()
    monkeypatch.setenv("PATH", f"{installer.parent}{os.pathsep}{os.environ['PATH']}")
    for status in (0, 3):
        installer.write_text(f"#!/bin/sh\necho chatter\nexit {status}\n")
        installer.chmod(0o755)
        words = (
            "init",
            str(tmp_path / f"app{status}"),
            "--yes",
            "--install",
            "--no-git",
            "--package-manager",
            "uv",
        )
        shown = run(*words, expect=1 if status else 0).stderr
        assert ("chatter" in shown) == bool(status)
        assert "uv sync" in shown


def test_a_status_that_is_watched_is_drawn_in_place(tmp_path: Path, server: ServerProcess) -> None:
    words = ("--url", server.url, "--admin-key", server.admin_key, "status", "--watch", "--interval", "0.1")
    terminal = Terminal(tmp_path, *words, screen=True, columns=120)
    for _ in range(3):
        terminal.wait_for("deployment")
        terminal.wait_for("every 0.1 s; Ctrl-C ends")
    server.kill()
    terminal.wait_for("error[Unreachable]")
    server.start()
    terminal.wait_for("deployment  ")
    terminal.process.terminate()
    terminal.close()
    assert terminal.seen.count("\x1b[2J") >= 5


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
