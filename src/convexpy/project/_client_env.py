"""The variables in `.env.local` that tell the front end where the deployment is."""

from __future__ import annotations

import json
from pathlib import Path

from convexpy.errors.texts import TextUnreadable, read_text
from convexpy.project._env_file import read_env_file, update_env_file

# A package of the front end → the prefix that its build lets through to the browser.
_PREFIXES = (
    ("next", "NEXT_PUBLIC_"),
    ("@tanstack/react-start", "VITE_"),
    ("@sveltejs/kit", "PUBLIC_"),
    ("vite", "VITE_"),
    ("expo", "EXPO_PUBLIC_"),
    ("react-scripts", "REACT_APP_"),
)


def client_variables(root: Path, file: Path, url: str, site_url: str) -> dict[str, str]:
    """Return the variables to write for these URLs: under the names that are there, else those of the framework."""
    present = read_env_file(file)
    prefixes = ["", *dict.fromkeys(prefix for _, prefix in _PREFIXES)]
    used = next((prefix for prefix in prefixes if f"{prefix}CONVEX_URL" in present), None)
    prefix = _framework_prefix(root) if used is None else used
    return {f"{prefix}CONVEX_URL": url, f"{prefix}CONVEX_SITE_URL": site_url}


def write_client_env(root: Path, file: Path, url: str, site_url: str, deployment: str) -> bool:
    """Write the chosen deployment and its URLs, touching nothing else; returns whether anything changed."""
    changes: dict[str, str | None] = dict(client_variables(root, file, url, site_url))
    if "CONVEXPY_DEPLOYMENT" not in read_env_file(file):
        changes = {"CONVEXPY_DEPLOYMENT": deployment, **changes}
    return update_env_file(file, changes)


def _framework_prefix(root: Path) -> str:
    try:
        package = json.loads(read_text(root / "package.json"))
        used = {**package.get("dependencies", {}), **package.get("devDependencies", {})}
    except (OSError, ValueError, AttributeError, TypeError, TextUnreadable):
        return ""
    return next((prefix for name, prefix in _PREFIXES if name in used), "")
