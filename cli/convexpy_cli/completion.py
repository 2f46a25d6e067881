"""Names that shells complete: deployments, and the functions and tables that the last push has left in the project."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convexpy.project import Project
    from convexpy.protocol.app_description import AppDescription

_FOLDER = Path(".convexpy") / "cache"


def deployments(incomplete: str) -> list[str]:
    """Return the names of deployments: local, those of the project, and those of the user."""
    from convexpy.errors import Error
    from convexpy.project import find_project, user_remotes

    names = ["local", *user_remotes()]
    with contextlib.suppress(Error):
        names += find_project(Path.cwd()).config.deployments
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def functions(incomplete: str) -> list[str]:
    """Return the paths of the functions that were pushed last."""
    return _read("functions", incomplete)


def tables(incomplete: str) -> list[str]:
    """Return the names of the tables that were pushed last."""
    return _read("tables", incomplete)


def _read(name: str, incomplete: str) -> list[str]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / _FOLDER / name
        if file.is_file():
            return [word for word in file.read_text(encoding="utf-8").split() if word.startswith(incomplete)]
    return []


def remember(project: Project, app: AppDescription) -> None:
    """Keep the names of an app that a push has just made live. A folder that cannot be written does not matter."""
    names = {"functions": [each.path for each in app.functions], "tables": list(app.tables)}
    folder = project.state / "cache"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for file, words in names.items():
            (folder / file).write_text("".join(f"{word}\n" for word in sorted(words)), encoding="utf-8")
