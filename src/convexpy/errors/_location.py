"""Where in a developer's files something was written."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_roots: list[str] = []


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A place in a developer's file. `file` is relative to the project; lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the `location` object of JSON errors."""
        return {"file": self.file, "line": self.line, "column": self.column}


def set_source_root(folder: str | Path | None) -> None:
    """Say which folder the files in locations are relative to; None: the working directory.

    It is set once per process, by whoever loads the project.
    """
    _roots[:] = [] if folder is None else [str(Path(folder).resolve())]


def relative_file(file: str) -> str:
    """Return a file's path relative to the project, or as it is if it lies elsewhere."""
    path = Path(file)
    for root in _roots or [str(Path.cwd())]:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return file


def caller_location() -> SourceLocation | None:
    """Return the innermost place on the stack that is not in convexpy itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_PACKAGE, "<frozen")):
            return SourceLocation(relative_file(file), frame.f_lineno)
        frame = frame.f_back
    return None
