"""Apps of the scaffolds in React for tests: made, built, and a person's window on one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.npm import E2E, installed
from support.processes import ROOT

WAIT_MS = 30_000

RECORD = """
window.shown = [];
const record = () => {
  const now = [...document.querySelectorAll(".message")].map((message) => ({
    body: message.querySelector("p").textContent,
    pending: message.classList.contains("pending"),
  }));
  if (JSON.stringify(now) !== JSON.stringify(window.shown.at(-1))) window.shown.push(now);
};
new MutationObserver(record).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
"""


def convexpy(folder: Path, *arguments: str) -> str:
    """Run a command that must succeed; return its output."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'cli'}"}
    command = [sys.executable, "-m", "convexpy_cli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(folder: Path, *options: str, template: str = "react") -> Path:
    """Make an app of a scaffold, with these options of `init`; its packages are links to those of tests/e2e/react."""
    packages = installed(E2E / "react") / "node_modules"
    convexpy(folder, "init", "app", "-t", template, *options, "--no-git", "--no-agents", "--yes")
    app = folder / "app"
    (app / "node_modules").mkdir()
    for package in packages.iterdir():
        if package.name not in (".package-lock.json", ".vite", ".cache"):
            (app / "node_modules" / package.name).symlink_to(package)
    return app


def built(app: Path, url: str) -> Path:
    """Build it as its README says; return the folder with the page."""
    env = {**os.environ, "VITE_CONVEX_URL": url, "VITE_CLERK_PUBLISHABLE_KEY": "pk_test_"}
    done = subprocess.run(
        ["npm", "run", "build"], cwd=app, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return app / "dist"


def functions_of(app: Path) -> dict[str, str]:
    """Return the modules to push."""
    folder = app / "convex"
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*.py")
        if "_generated" not in path.parts
    }


class Window:
    """One person's window."""

    def __init__(self, browser: Any, url: str, complaints: list[str], *scripts: str) -> None:
        self._complaints = complaints
        self.page = browser.new_context().new_page()
        self.page.set_default_timeout(WAIT_MS)
        for script in (RECORD, *scripts):
            self.page.add_init_script(script)
        self.page.on("pageerror", lambda error: complaints.append(str(error)))
        self.page.goto(url)

    def enter(self, name: str) -> None:
        """Come in under a name, and wait for the channel."""
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Enter").click()
        self.page.get_by_role("heading", name="# general").wait_for()

    def write(self, body: str) -> None:
        """Send a message; returns when it is on its way."""
        self.page.get_by_role("textbox", name="Message", exact=True).fill(body)
        self.page.get_by_role("button", name="Send").click()

    def until(self, bodies: list[str], *, pending: int = 0) -> None:
        """Wait until exactly these messages are shown, the last of them so far only here."""
        wanted = [
            {"body": body, "pending": place >= len(bodies) - pending} for place, body in enumerate(bodies)
        ]
        try:
            self.page.wait_for_function(
                "(wanted) => JSON.stringify(window.shown.at(-1)) === JSON.stringify(wanted)",
                arg=wanted,
                timeout=WAIT_MS,
            )
        except Exception as error:
            raise AssertionError(f"shown: {self.shown()[-3:]}; complaints: {self._complaints}") from error

    def until_text(self, text: str) -> None:
        """Wait until the page says so."""
        self.page.get_by_text(text, exact=True).first.wait_for()

    def until_state(self, state: str) -> None:
        """Wait for a state of the connection."""
        self.page.locator(f".connection[data-state='{state}']").wait_for()

    def shown(self) -> list[list[dict[str, Any]]]:
        """Return everything that the list of messages has shown, in order."""
        states: list[list[dict[str, Any]]] = self.page.evaluate("window.shown")
        return states
