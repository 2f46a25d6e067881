"""The work of `convexpy update`: what would bring a newer copy."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from convexpy_cli import errors

INDEX_URL = "https://pypi.org/pypi/convexpy/json"
TIMEOUT_S = 10.0


def command_of(method: str) -> str | None:
    """Return the command that updates a copy installed like this; None for a checkout."""
    if method == "checkout":
        return None
    if method == "uv-tool":
        return "uv tool upgrade convexpy"
    if method == "pipx":
        return "pipx upgrade convexpy"
    if (Path.cwd() / "uv.lock").is_file():
        return "uv lock --upgrade-package convexpy && uv sync"
    return f"{shlex.quote(sys.executable)} -m pip install --upgrade convexpy"


def newest_version() -> str:
    """Ask the package index for the newest version.

    Raises:
        Failure: it does not answer (exit 6).
    """
    try:
        with urllib.request.urlopen(INDEX_URL, timeout=TIMEOUT_S) as answer:
            return str(json.load(answer)["info"]["version"])
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        reason = getattr(error, "reason", error)
        raise errors.Failure("Unreachable", f"PyPI does not respond: {reason}") from error


def execute(command: str) -> int:
    """Run an update command; return its exit status."""
    return subprocess.run(command, shell=True, check=False).returncode
