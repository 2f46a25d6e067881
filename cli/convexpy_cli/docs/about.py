"""The version of this copy, how it was installed, what would bring a newer one, and the state of the current folder."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from convexpy_cli import errors

# The release of the official client whose sync protocol is spoken.
PROTOCOL_VERSION = "1.48.0"


def version_text() -> str:
    """Return the version of this distribution."""
    from convexpy._version import __version__

    return __version__


def version_info() -> dict[str, Any]:
    """Return version, Python, platform, protocol and how this copy was installed."""
    return {
        "version": version_text(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "protocol": PROTOCOL_VERSION,
        "installMethod": install_method(),
    }


def install_method() -> str:
    """Return `checkout`, `uv-tool`, `pipx`, `venv` or `system`."""
    here = Path(__file__).resolve()
    if (here.parents[3] / "src" / "convexpy").is_dir():
        return "checkout"
    if "uv" in here.parts and "tools" in here.parts:
        return "uv-tool"
    if "pipx" in here.parts:
        return "pipx"
    return "venv" if sys.prefix != sys.base_prefix else "system"


def situation() -> str:
    """Return one line about the current folder: no project, or whether its local server runs."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "convexpy.toml").is_file() or (folder / "convex").is_dir():
            break
    else:
        return "No project here. Create one with `convexpy init`."
    with suppress(OSError, ValueError, KeyError):
        lock = folder / ".convexpy" / "local" / "default" / "lock.json"
        holder = json.loads(lock.read_text(encoding="utf-8"))
        if os.name != "nt":
            os.kill(holder["pid"], 0)
            return f"The local server is running on port {holder['port']}."
    return "No local server is running. Start it with `convexpy dev`."


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
