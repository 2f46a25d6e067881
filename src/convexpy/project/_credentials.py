"""Files of the user: keys of servers by origin, and named remotes. Never part of a project."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convexpy.errors import ProjectError, SourceLocation
from convexpy.project._toml_edit import TomlFile, add_table, remove_table


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


def _stored(folder: Path | None) -> TomlFile:
    return TomlFile((folder or user_folder()) / "credentials.toml")


def stored_key(url: str, folder: Path | None = None) -> str | None:
    """Return the key remembered for the origin of `url`, or None.

    Raises:
        ProjectError: `ConfigInvalid`: the file cannot be read as TOML, or others may read it.
    """
    stored = stored_entries(folder)
    file = _stored(folder).path
    if stored and os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ProjectError(
            f"{file} can be read by others",
            code="ConfigInvalid",
            hint=f"chmod 600 {file}",
            location=SourceLocation(str(file)),
        )
    return stored.get(origin_of(url), {}).get("key") or None


def stored_entries(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return what is remembered by origin: `key`, and `name` and `added` (milliseconds) where they are known."""
    return {
        origin: entry
        for origin, entry in _stored(folder).parsed().items()
        if isinstance(entry, dict) and isinstance(entry.get("key"), str)
    }


def store_key(url: str, key: str, *, name: str | None, added_ms: int, folder: Path | None = None) -> None:
    """Remember a key for the origin of `url`, in place of the one before. The file is for its owner's eyes only."""
    file, origin = _stored(folder), origin_of(url)
    values: dict[str, Any] = {"key": key, **({"name": name} if name else {}), "added": added_ms}
    meant = {**file.parsed(), origin: values}
    file.edit(lambda text: add_table(remove_table(text, (origin,)), (origin,), values), meant, private=True)


def forget_key(url: str, folder: Path | None = None) -> bool:
    """Forget the key for the origin of `url`; returns whether there was one."""
    file, origin = _stored(folder), origin_of(url)
    if origin not in stored_entries(folder):
        return False
    meant = {name: value for name, value in file.parsed().items() if name != origin}
    file.edit(lambda text: remove_table(text, (origin,)), meant, private=True)
    return True


def user_remotes(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return `[deployments.*]` of the user's `config.toml`."""
    deployments = TomlFile((folder or user_folder()) / "config.toml").parsed().get("deployments", {})
    return {name: entry for name, entry in deployments.items() if isinstance(entry, dict) and "url" in entry}
