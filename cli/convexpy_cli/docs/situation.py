"""One line about where the user is, for the top of `convexpy --help`: no project, or a dev server that runs.

Only `os` is imported, which Python itself has loaded already.
"""

# pathlib is slow to load:
# ruff: noqa: PTH109, PTH112, PTH113, PTH118, PTH120, PTH123

from __future__ import annotations

import os

STATE_LOCK = os.path.join(".convexpy", "local", "default", "lock.json")


def describe() -> str:
    """Return the line, without an end."""
    folder = _project_folder()
    if folder is None:
        return "No project here: start with `convexpy init`"
    port = _running_port(folder)
    if port is not None:
        return f"Dev server running on :{port}"
    return "No server running: start with `convexpy dev`"


def _project_folder() -> str | None:
    folder = os.getcwd()
    while True:
        if os.path.isfile(os.path.join(folder, "convexpy.toml")) or os.path.isdir(
            os.path.join(folder, "convex")
        ):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _running_port(folder: str) -> int | None:
    # The file is read as text: importing json would double the time that this takes.
    text = ""
    try:
        with open(os.path.join(folder, STATE_LOCK), encoding="utf-8") as file:
            text = file.read()
        pid, port = _number(text, "pid"), _number(text, "port")
        if pid is None or os.name == "nt":
            return None
        os.kill(pid, 0)
    except PermissionError:
        return _number(text, "port")
    except (OSError, ValueError):
        return None
    return port


def _number(text: str, key: str) -> int | None:
    _, found, rest = text.partition(f'"{key}":')
    digits = ""
    for letter in rest.lstrip():
        if not letter.isdigit():
            break
        digits += letter
    return int(digits) if found and digits else None
