"""The files of `_generated/`: rendering all of them, and writing those that changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from convexpy.project._locate import Project
from convexpy.project.codegen._api import render_api, render_api_stub
from convexpy.project.codegen._server import render_server, render_server_stub
from convexpy.project.codegen.typescript import render_typescript
from convexpy.protocol.app_description import AppDescription
from convexpy.schema.data_model import DataModel

GENERATED_FOLDER = "_generated"


def render_files(app: AppDescription, *, python: bool = True, typescript: bool = False) -> dict[str, str]:
    """Return the text of every generated file by its name.

    Raises:
        ProjectError: two tables would have one name.
    """
    model = DataModel(app.schema)
    files: dict[str, str] = {}
    if python:
        # The stub of the server may not add objects after the fact: it names only what the data model has declared.
        server_stub = render_server_stub(model)
        files |= {
            "api.py": render_api(),
            "api.pyi": render_api_stub(app.functions, model),
            "data_model.py": model.render(),
            "server.py": render_server(),
            "server.pyi": server_stub,
        }
    return files | render_typescript(app, model) if typescript else files


def render_for(
    project: Project,
    app: AppDescription,
    *,
    python: bool | None = None,
    typescript: bool | None = None,
) -> dict[str, str]:
    """Return the text of every file that the project wants; `python` and `typescript` overrule its `[codegen]`.

    Raises:
        ProjectError: two tables would have one name.
    """
    return render_files(
        app,
        python=project.config.codegen_python if python is None else python,
        typescript=wants_typescript(project) if typescript is None else typescript,
    )


def wants_typescript(project: Project) -> bool:
    """Return whether `[codegen] typescript` asks for types; `auto` does in a project with a package.json.

    It is looked for in the project's folder and in those directly inside of it, such as `web/`.
    """
    wanted = project.config.codegen_typescript
    if isinstance(wanted, bool):
        return wanted
    found = [project.root / "package.json", *project.root.glob("[!.]*/package.json")]
    return any(file.is_file() for file in found if file.parent.name != "node_modules")


def stale_files(
    functions: Path, files: Mapping[str, str], *, folder: str | Path = GENERATED_FOLDER
) -> list[str]:
    """Return the names of generated files whose text on disk is not the one given, sorted.

    They are in `folder` of the functions folder; an absolute one is taken as it is. Other files there do not matter.
    """
    return sorted(name for name, text in files.items() if _read(functions / folder / name) != text)


def write_files(
    functions: Path, files: Mapping[str, str], *, folder: str | Path = GENERATED_FOLDER
) -> list[str]:
    """Write the files that changed, each in one step; returns their names. Others keep their time.

    `folder` is that of `stale_files`.
    """
    stale = stale_files(functions, files, folder=folder)
    target = functions / folder
    if stale:
        target.mkdir(parents=True, exist_ok=True)
    for name in stale:
        temporary = target / f".{name}.{os.getpid()}"
        temporary.write_text(files[name], encoding="utf-8", newline="\n")
        temporary.replace(target / name)
    return stale


def _read(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8", newline="") as source:
            return source.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
