"""The first five minutes: the commands that `init` prints lead to a live page, which anybody can use.

The commands run in shells of their own, as a person would paste them, from an environment that is not on `PATH`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

WAIT_S = 60.0
WAIT_MS = WAIT_S * 1000
WIDTHS = (390, 1280)
VIOLATIONS = """async () => {
  const found = await axe.run();
  return found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}"""


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


@contextlib.contextmanager
def running(folder: Path, steps: list[str]) -> Iterator[str]:
    """Type the commands up to `dev` into a shell; the value is the address of the page that it names."""
    place = next(number for number, step in enumerate(steps) if " dev" in step) + 1
    # Nobody is there to look at a browser window.
    typed = " && ".join(steps[:place]).replace(" --open", "")
    shell = subprocess.Popen(
        ["sh", "-c", typed],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin", "CONVEXPY_NO_INPUT": "1"},
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
    with running(tmp_path, init(tmp_path, "chat")) as address:
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


def complaints(window: Any, node_clients: Path) -> list[str]:
    """Return what axe-core finds serious, in wide and narrow windows, dark and light."""
    window.add_script_tag(path=str(node_clients / "node_modules" / "axe-core" / "axe.min.js"))
    found: list[str] = []
    for width in WIDTHS:
        for scheme in ("dark", "light"):
            window.set_viewport_size({"width": width, "height": 800})
            window.emulate_media(color_scheme=scheme)
            found += [f"{width} {scheme}: {each}" for each in window.evaluate(VIOLATIONS)]
            assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
    return found
