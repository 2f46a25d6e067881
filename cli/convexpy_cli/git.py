"""Asking git about a project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TIMEOUT_S = 20.0


def git(root: Path, *arguments: str, errors: str = "replace") -> str | None:
    """Return what a git command printed, without the newline at its end.

    None if it failed or took too long, or if there is no git.
    """
    try:
        ended = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors=errors,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.rstrip("\n") if ended.returncode == 0 else None
