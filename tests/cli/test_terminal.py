"""At a real terminal: the wizard asks on stderr, stdout stays the result, Ctrl-C is 130."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")]


class Terminal:
    """A command whose stdin and stderr are a terminal; its stdout is a pipe."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", *arguments],
            cwd=folder,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str, deadline_s: float = 30.0) -> None:
        until = time.monotonic() + deadline_s
        while text not in self._plain():
            left = until - time.monotonic()
            assert left > 0, f"{text!r} did not come: {self._plain()!r}"
            if select.select([self._ours], [], [], left)[0]:
                part = os.read(self._ours, 65536).decode(errors="replace")
                self.shown += part
                if "\x1b[6n" in part:
                    # A real terminal says where the cursor is.
                    self.type("\x1b[1;1R")
        self.shown = self.shown.partition(text)[2] or ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> tuple[int, str]:
        try:
            out, _ = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, _ = self.process.communicate()
        os.close(self._ours)
        return self.process.returncode, out.decode()

    def _plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown)


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
