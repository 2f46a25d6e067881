"""Files of the user: keys of servers by origin, and named remotes. Never part of a project."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli

from convexpy.errors import ProjectError, SourceLocation


def user_folder() -> Path:
    """Return where the user's own files are (`CONVEXPY_CONFIG_DIR`, else the system's usual place)."""
    moved = os.environ.get("CONVEXPY_CONFIG_DIR")
    if moved:
        return Path(moved)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "convexpy"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "convexpy"


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: what a key is remembered for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def stored_key(url: str, folder: Path | None = None) -> str | None:
    """Return the key remembered for the origin of `url`, or None.

    Raises:
        ProjectError: `ConfigInvalid`: the file cannot be read as TOML, or others may read it.
    """
    file = (folder or user_folder()) / "credentials.toml"
    entries = _read(file)
    if entries and os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ProjectError(
            f"{file} can be read by others",
            code="ConfigInvalid",
            hint=f"chmod 600 {file}",
            location=SourceLocation(str(file)),
        )
    entry = entries.get(origin_of(url))
    key = entry.get("key") if isinstance(entry, dict) else None
    return key if isinstance(key, str) and key else None


def user_remotes(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return `[deployments.*]` of the user's `config.toml`."""
    deployments = _read((folder or user_folder()) / "config.toml").get("deployments", {})
    return {name: entry for name, entry in deployments.items() if isinstance(entry, dict) and "url" in entry}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomli.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomli.TOMLDecodeError as error:
        raise ProjectError(
            f"{file} is not valid TOML: {error}", code="ConfigInvalid", location=SourceLocation(str(file))
        ) from error
