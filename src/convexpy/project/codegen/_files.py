"""The files of `_generated/`: rendering all of them, and writing those that changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convexpy.project.codegen._api import render_api, render_api_stub
from convexpy.project.codegen._server import render_server, render_server_stub
from convexpy.schema.data_model import (
    DataModel,
)

GENERATED_FOLDER = "_generated"


def render_files(analysis: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of every generated file by its name.

    `analysis` is what `python -m convexpy.execution.analyze` prints: `functions` and `schema` are read.

    Raises:
        ProjectError: two tables would have one name.
    """
    model = DataModel(analysis.get("schema"))
    # The stub of the server may not add objects after the fact: it names only what the data model has
    # declared.
    server_stub = render_server_stub(model)
    return {
        "api.py": render_api(),
        "api.pyi": render_api_stub(analysis.get("functions", ()), model),
        "data_model.py": model.render(),
        "server.py": render_server(),
        "server.pyi": server_stub,
    }


def stale_files(functions: Path, files: Mapping[str, str]) -> list[str]:
    """Return the names of generated files whose text on disk is not the one given, sorted."""
    folder = functions / GENERATED_FOLDER
    return sorted(name for name, text in files.items() if _read(folder / name) != text)


def write_files(functions: Path, files: Mapping[str, str]) -> list[str]:
    """Write the files that changed, each in one step; returns their names. Others keep their time."""
    folder = functions / GENERATED_FOLDER
    stale = stale_files(functions, files)
    if stale:
        folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_text(files[name], encoding="utf-8", newline="\n")
        temporary.replace(folder / name)
    return stale


def _read(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8", newline="") as source:
            return source.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
