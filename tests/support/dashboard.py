"""`convexpy dashboard` in a process of its own, and a browser that was let in."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.processes import ServerProcess


class DashboardProcess:
    """The dashboard of a server; `url` has the token, `address` is where its pages are."""

    def __init__(self, folder: Path, server: ServerProcess, *, key: str | None = None) -> None:
        self._errors = folder / "dashboard.log"
        with self._errors.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "convexpy_cli", "dashboard", "--no-open", "--json", "--url", server.url, "--admin-key", "-"],
                cwd=folder, env=server.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write((key or server.admin_key) + "\n")
        self.process.stdin.close()
        line = self.process.stdout.readline()
        assert line, self.errors
        self.printed: dict[str, Any] = json.loads(line)
        self.url: str = self.printed["url"]
        self.address = self.url.partition("/?")[0]
        self._contexts: list[Any] = []

    @property
    def errors(self) -> str:
        """What it has written to stderr."""
        return self._errors.read_text()

    def open(self, browser: Any, path: str = "/", *, width: int = 1280, scheme: str = "light") -> Any:
        """Return a page of a new session of the browser, which has come in by the printed address."""
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(self.url)
        page.wait_for_url(f"{self.address}/**")
        page.wait_for_selector("main h1")
        if path != "/":
            self.go(page, path)
        return page

    def go(self, page: Any, path: str) -> None:
        """Go to another page, and wait until it listens."""
        page.goto(self.address + path)
        page.wait_for_function("window.did_handshake === true")

    def stop(self) -> int:
        """Interrupt it, as Ctrl-C does; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status
