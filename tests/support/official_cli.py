"""The official command line from npm, unmodified, in a project of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support.npm import installed_clients
from support.processes import ServerProcess

TIMEOUT_S = 120


class OfficialCli:
    """Runs `npx convex …` against a server, as its documentation for self-hosted deployments says."""

    def __init__(self, folder: Path, server: ServerProcess) -> None:
        modules = installed_clients() / "node_modules"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"name": "app", "dependencies": {"convex": "*"}}')
        (folder / "node_modules").symlink_to(modules)
        (folder / "convex").mkdir(exist_ok=True)
        self.command = ["node", str(modules / "convex" / "bin" / "main.js")]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CI": "1",
            "CONVEX_SELF_HOSTED_URL": server.url,
            "CONVEX_SELF_HOSTED_ADMIN_KEY": server.admin_key,
        }

    def __call__(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            env=self.environment,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [*self.command, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
