"""The first five minutes: the commands that `init` prints lead to a live page, which anybody can use.

The commands run in shells of their own, as a person would paste them, from an environment that is not on `PATH`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.accessibility import complaints
from support.processes import ROOT

pytestmark = pytest.mark.slow

WAIT_S = 60.0
WAIT_MS = WAIT_S * 1000


def init(folder: Path, template: str) -> list[str]:
    """Make a project with the command line; return the commands that it prints next."""
    command = [sys.executable, "-m", "convexpy_cli", "init", "made", "-t", template, "--no-git", "--json"]
    made = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=WAIT_S,
    )
    steps: list[str] = json.loads(made.stdout)["next"]
    return [step for step in steps if not step.startswith("uv ")]


def typed(steps: list[str]) -> str:
    """Return the commands up to `dev`, as one line."""
    place = next(number for number, step in enumerate(steps) if " dev" in step) + 1
    return " && ".join(steps[:place])


@contextlib.contextmanager
def running(folder: Path, line: str) -> Iterator[str]:
    """Type a line that ends with `dev` into a shell; the value is the address of the page that it names."""
    shell = subprocess.Popen(
        ["sh", "-c", line.replace(" --open", "")],  # nobody is there to look at a browser window
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
            "CONVEXPY_NO_INPUT": "1",
        },
        start_new_session=True,
    )
    try:
        yield address_of_page(shell)
    finally:
        os.killpg(shell.pid, signal.SIGINT)
        shell.communicate(timeout=WAIT_S)


def address_of_page(shell: subprocess.Popen[str]) -> str:
    """Read what `dev` says until it is ready."""
    assert shell.stdout is not None
    said: list[str] = []
    page = ""
    for line in shell.stdout:
        said.append(line)
        if line.split()[:1] == ["Page"]:
            page = line.split()[-1]
        if " ready: " in line:
            assert page, said
            return page
    raise AssertionError("".join(said))


def until_live(window: Any) -> None:
    """Wait until the page says that it is live."""
    window.wait_for_function("document.getElementById('status').className === 'live'", timeout=WAIT_MS)


def test_from_two_commands_to_a_message_in_two_windows(
    tmp_path: Path, browser: Any, node_clients: Path
) -> None:
    began = time.monotonic()
    with running(tmp_path, typed(init(tmp_path, "chat"))) as address:
        first, second = browser.new_page(), browser.new_page()
        for window in (first, second):
            window.goto(address)
            until_live(window)
        first.fill("#author", "Ada")
        first.fill("#body", "hello")
        first.click("#send button")
        for window in (first, second):
            window.wait_for_selector("#messages >> text=hello", timeout=WAIT_MS)
        assert time.monotonic() - began < WAIT_S
        assert complaints(second, node_clients) == []
        second.wait_for_selector("#people >> text=Ada", timeout=WAIT_MS)


def test_the_readme_leads_to_a_live_page(tmp_path: Path, browser: Any) -> None:
    checkout = tmp_path / "convexpy"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    (commands, *_) = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    with running(checkout, commands) as address:
        window = browser.new_page()
        window.goto(address)
        until_live(window)
        window.fill("#author", "Ada")
        window.fill("#body", "hello")
        window.click("#send button")
        window.wait_for_selector("#messages >> text=hello", timeout=WAIT_MS)


def test_an_agent_runs_code_and_shows_its_steps(tmp_path: Path, browser: Any, node_clients: Path) -> None:
    with running(tmp_path, typed(init(tmp_path, "agent"))) as address:
        window = browser.new_page()
        window.goto(address)
        until_status(window, "pending")
        window.fill("#prompt", "print(6 * 7)")
        window.click("button")
        until_status(window, "completed")
        assert window.locator("#messages li").all_text_contents() == ["user print(6 * 7)", "assistant 42\n"]
        assert window.locator("#steps summary").all_text_contents() == ["run_python · done"]
        assert complaints(window, node_clients) == []
        window.click("#new-session")
        until_status(window, "pending")
        assert window.locator("#sessions a").count() == 2


def until_status(window: Any, status: str) -> None:
    """Wait until a session has this status."""
    window.wait_for_function(f"document.getElementById('status').textContent === '{status}'", timeout=WAIT_MS)
