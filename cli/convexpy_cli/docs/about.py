"""What the root needs only with `--json`: its answers as JSON documents."""

from __future__ import annotations

import json
import platform
import sys
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


def version_json() -> str:
    """Return `--version --json`: one document and a newline."""
    return json.dumps(version_info(), ensure_ascii=False) + "\n"


def usage_error_json(message: str, hint: str) -> str:
    """Return the error object of a wrong command line, on one line."""
    error = {
        "code": "UsageError",
        "message": message,
        "location": None,
        "hint": hint,
        "data": None,
        "requestId": None,
        "exitCode": 2,
    }
    return json.dumps({"error": error}, ensure_ascii=False) + "\n"
