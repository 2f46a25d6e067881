"""Where this convexpy came from, and how it is called from another terminal."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

_COMMAND = re.compile(r"(?<![\w./-])convexpy ([a-z]+)\b")
_OF_A_DEPLOYMENT = frozenset({
    "backup", "crons", "data", "deploy", "env", "export", "functions", "import", "keys", "logs", "run", "schedule",
    "schema", "shell", "status", "storage",
})  # fmt: skip


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
    """Return a command whose program, `convexpy` or `python`, is this environment's, from whatever terminal it is typed."""
    name, _, rest = command.partition(" ")
    if name not in ("convexpy", "python"):
        return command
    words = shlex.join(program(name))
    return f"{words} {rest}" if rest else words


def runnable_here(text: str, known: Collection[str], deployment: str | None = None) -> str:
    """Return a text whose commands run in this terminal as they stand: with the path of `convexpy`, if it needs one.

    `known` are the names of commands. Those that ask a deployment name the one that is given.
    """
    words = program("convexpy")
    if len(words) == 1 and Path(words[0]).is_relative_to(Path.cwd()):
        words = [str(Path(words[0]).relative_to(Path.cwd()))]

    def named(found: re.Match[str]) -> str:
        if found[1] not in known:
            return found[0]
        flag = (
            f" -d {deployment}" if deployment and found[1] in _OF_A_DEPLOYMENT and " -d " not in text else ""
        )
        return f"{shlex.join(words)}{flag} {found[1]}"

    return _COMMAND.sub(named, text)


def program(name: str) -> list[str]:
    """Return how `convexpy` or `python` of this environment is called: by its path, unless it is what `PATH` has."""
    if name == "python":
        found = Path(sys.executable)
    else:
        found = Path(sysconfig.get_path("scripts")) / (f"{name}.exe" if sys.platform == "win32" else name)
        if not found.exists():
            return [sys.executable, "-m", "convexpy_cli"]
    on_path = shutil.which(name)
    # Not resolved: the Python of an environment is a link to another one.
    return [name] if on_path is not None and Path(on_path).parent == found.parent else [str(found)]
