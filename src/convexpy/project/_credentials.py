"""Files of the user: keys of servers by origin, and named remotes. Never part of a project."""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convexpy.errors import ProjectError, SourceLocation
from convexpy.errors.texts import read_text
from convexpy.project._toml_edit import add_table, checked_edit, remove_table
from convexpy.runtime import PRIVATE_FOLDER, write_private


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


def stored_entries(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return what is remembered by origin: `key`, and `name` and `added` (milliseconds) where they are known."""
    entries = _read((folder or user_folder()) / "credentials.toml")
    return {
        origin: entry
        for origin, entry in entries.items()
        if isinstance(entry, dict) and isinstance(entry.get("key"), str)
    }


def store_key(url: str, key: str, *, name: str | None, added_ms: int, folder: Path | None = None) -> None:
    """Remember a key for the origin of `url`, in place of the one before. The file is for its owner's eyes only."""
    origin = origin_of(url)
    values: dict[str, Any] = {"key": key, **({"name": name} if name else {}), "added": added_ms}
    _edit(folder, lambda text: add_table(remove_table(text, (origin,)), (origin,), values), {origin: values})


def forget_key(url: str, folder: Path | None = None) -> bool:
    """Forget the key for the origin of `url`; returns whether there was one."""
    origin = origin_of(url)
    if origin not in stored_entries(folder):
        return False
    _edit(folder, lambda text: remove_table(text, (origin,)), {origin: None})
    return True


def _edit(folder: Path | None, edit: Callable[[str], str], changes: dict[str, Any]) -> None:
    file = (folder or user_folder()) / "credentials.toml"
    meant = {**_read(file), **changes}
    old = read_text(file, only_utf8=True) if file.exists() else ""
    new = checked_edit(
        file, old, edit(old), {name: value for name, value in meant.items() if value is not None}
    )
    file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    write_private(file, new.encode())


def user_remotes(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return `[deployments.*]` of the user's `config.toml`."""
    deployments = _read((folder or user_folder()) / "config.toml").get("deployments", {})
    return {name: entry for name, entry in deployments.items() if isinstance(entry, dict) and "url" in entry}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(file, only_utf8=True))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(
            f"{file} is not valid TOML: {error}", code="ConfigInvalid", location=SourceLocation(str(file))
        ) from error
