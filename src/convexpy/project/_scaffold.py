"""Scaffolds: data folders that become projects. Rendering and planning; asking and telling is the command line's.

A scaffold is a folder with a `scaffold.toml` (title, description, next steps); every other file is copied.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from convexpy.errors import ProjectError
from convexpy.project._scaffold_files import DESCRIPTION_FILE, SignIn, project_files

Action = Literal["create", "update", "same", "keep", "new"]


@dataclass(frozen=True)
class Scaffold:
    """A scaffold that can be chosen."""

    name: str
    title: str
    description: str
    folder: Path
    next: tuple[str, ...]


@dataclass(frozen=True)
class PlannedFile:
    """A file of the new project. `keep`: one is there and differs; `new`: it is written as `X.new` beside that."""

    path: str
    content: bytes
    action: Action

    def written_as(self) -> str:
        """Return the path that is written."""
        return self.path + ".new" if self.action == "new" else self.path


def list_scaffolds(folder: Path) -> dict[str, Scaffold]:
    """Return the scaffolds in `folder` by name."""
    found: dict[str, Scaffold] = {}
    for file in sorted(folder.glob(f"*/{DESCRIPTION_FILE}")):
        described = tomllib.loads(file.read_text(encoding="utf-8"))
        name = file.parent.name
        found[name] = Scaffold(
            name, described["title"], described["description"], file.parent, tuple(described.get("next", ()))
        )
    return found


def render_scaffold(
    scaffold: Scaffold,
    *,
    name: str,
    functions: str = "convex",
    extras: Iterable[str] = (),
    sign_in: SignIn | None = None,
) -> dict[str, bytes]:
    """Return the files of a new project by path. `extras` are files of the scaffolds' `_extras/` folder.

    Raises:
        ProjectError: what is known of the issuer of `sign_in` cannot be written into source files.
    """
    return project_files(
        scaffold.folder, name=name, functions=functions, extras=extras, sign_in=sign_in or SignIn()
    )


def plan_files(root: Path, files: Mapping[str, bytes], functions: str) -> list[PlannedFile]:
    """Return what writing `files` into `root` would do. A file that is there is never replaced.

    `.gitignore` gets the lines that it lacks. Where functions exist already, none are added, and no tests of them.
    """
    has_functions = any((root / functions).rglob("*.py")) if (root / functions).is_dir() else False
    same_project = has_functions and all(
        (root / path).is_file()
        for path in files
        if path.startswith(f"{functions}/") and "_generated" not in path
    )
    planned: list[PlannedFile] = []
    for path, content in files.items():
        belongs = path.startswith((f"{functions}/", "tests/"))
        if belongs and has_functions and not same_project and not (root / path).exists():
            continue
        planned.append(_planned(root / path, path, content))
    return planned


def write_planned(root: Path, planned: Iterable[PlannedFile]) -> list[PlannedFile]:
    """Write what is planned; returns the files that were written.

    Raises:
        ProjectError: the folder cannot be written.
    """
    written: list[PlannedFile] = []
    for each in planned:
        if each.action in ("create", "update", "new"):
            target = root / each.written_as()
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(each.content)
            except OSError as error:
                raise ProjectError(
                    f"{target} cannot be written: {error.strerror}", code="ConfigInvalid"
                ) from error
            written.append(each)
    return written


def as_new(planned: PlannedFile) -> PlannedFile:
    """Return the plan to write a differing file as `X.new`."""
    return replace(planned, action="new")


def _planned(target: Path, path: str, content: bytes) -> PlannedFile:
    if not target.exists():
        return PlannedFile(path, content, "create")
    present = target.read_bytes() if target.is_file() else b""
    if present == content:
        return PlannedFile(path, content, "same")
    if target.name == ".gitignore":
        merged = _merged_lines(present.decode("utf-8", errors="surrogateescape"), content.decode())
        content = merged.encode("utf-8", errors="surrogateescape")
        return PlannedFile(path, content, "same" if content == present else "update")
    return PlannedFile(path, content, "keep")


def _merged_lines(present: str, wanted: str) -> str:
    known = {line.strip().strip("/") for line in present.splitlines()}
    missing = [line for line in wanted.splitlines() if line.strip().strip("/") not in known]
    if not missing:
        return present
    gap = "" if not present or present.endswith("\n") else "\n"
    return present + gap + "\n".join(missing) + "\n"
