"""The npm packages of the tests, installed once for all."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

E2E = Path(__file__).parents[1] / "e2e"


def installed_clients() -> Path:
    """Return the folder of the Node clients, installed."""
    return installed(E2E / "clients")


def installed(folder: Path) -> Path:
    """Return the folder, its `node_modules` holding what its lock file names; installs it if need be, skips without npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node and npm")
    with (Path(tempfile.gettempdir()) / f"convexpy-test-{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel workers share the folder
        if not _is_complete(folder):
            command = ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
    return folder


def _is_complete(folder: Path) -> bool:
    """Say whether `node_modules` holds what the lock file names."""
    try:
        wanted = json.loads((folder / "package-lock.json").read_text())["packages"]
        have = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except OSError:
        return False
    needed = {path: entry["version"] for path, entry in wanted.items() if path and not entry.get("optional")}
    return all(have.get(path, {}).get("version") == version for path, version in needed.items())
