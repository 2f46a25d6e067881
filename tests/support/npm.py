"""The npm packages of the tests, installed once for all."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "e2e" / "clients"


def installed_clients() -> Path:
    """Return the folder whose `node_modules` holds the packages; installs them if need be, skips without npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node and npm")
    with (Path(tempfile.gettempdir()) / "convexpy-test-clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel workers share the folder
        if not _is_complete():
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=CLIENTS, check=True, timeout=300)
    return CLIENTS


def _is_complete() -> bool:
    """Say whether `node_modules` holds what the lock file names."""
    try:
        wanted = json.loads((CLIENTS / "package-lock.json").read_text())["packages"]
        have = json.loads((CLIENTS / "node_modules" / ".package-lock.json").read_text())["packages"]
    except OSError:
        return False
    needed = {path: entry["version"] for path, entry in wanted.items() if path and not entry.get("optional")}
    return all(have.get(path, {}).get("version") == version for path, version in needed.items())
