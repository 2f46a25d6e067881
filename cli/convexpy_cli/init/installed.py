"""Where this convexpy came from, and how it is called from another terminal."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any


def requirement(extra: str = "") -> str:
    """Return what a project depends on to get this very convexpy: a path, an address, or a version of the package index."""
    name = f"convexpy[{extra}]" if extra else "convexpy"
    try:
        found = distribution("convexpy")
    except PackageNotFoundError:  # from a source tree that is on the path
        return name
    origin: dict[str, Any] = json.loads(found.read_text("direct_url.json") or "{}")
    address = origin.get("url", "")
    if "vcs_info" in origin:
        info = origin["vcs_info"]
        address = f"{info['vcs']}+{address}@{info['commit_id']}"
    return f"{name} @ {address}" if address else f"{name}>={found.version}"


def runnable(command: str) -> str:
    """Return a command with programs of this environment as they are found from any terminal: by path unless on `PATH`."""
    name, _, rest = command.partition(" ")
    if name not in ("convexpy", "python"):
        return command
    program = shlex.join(_convexpy() if name == "convexpy" else _python())
    return f"{program} {rest}" if rest else program


def _convexpy() -> list[str]:
    script = Path(sysconfig.get_path("scripts")) / ("convexpy.exe" if sys.platform == "win32" else "convexpy")
    if not script.exists():
        return [sys.executable, "-m", "convexpy_cli"]
    return ["convexpy"] if _is_on_path("convexpy", script) else [str(script)]


def _python() -> list[str]:
    return ["python"] if _is_on_path("python", Path(sys.executable)) else [sys.executable]


def _is_on_path(name: str, program: Path) -> bool:
    found = shutil.which(name)
    # Not resolved: the Python of an environment is a link to another one.
    return found is not None and Path(found).parent == program.parent
