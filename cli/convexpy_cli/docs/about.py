"""The version of this copy, how it was installed, and the state of the current folder."""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

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
