"""Names that shells complete: a file of functions and one of tables in the project's state folder, a name a line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from convexpy.protocol.app_description import AppDescription

if TYPE_CHECKING:
    from convexpy.project import Project


def write(project: Project, app: AppDescription) -> None:
    """Keep the names of an app, as a push has just made them live. A folder that can't be written is no matter."""
    names = {"functions": [each.path for each in app.functions], "tables": list(app.tables)}
    folder = project.state / "cache"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for file, words in names.items():
            text = "".join(f"{word}\n" for word in sorted(words))
            if not (folder / file).is_file() or (folder / file).read_text(encoding="utf-8") != text:
                (folder / file).write_text(text, encoding="utf-8")
