"""Which files of the functions folder are pushed, and their hashes.

Modules and the data files beside them are; names that start with `_` or `.`, tests, caches and what editors
leave behind are not. `__init__.py` of sub-folders is the one exception to the underscore.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convexpy.errors import ProjectError, SourceLocation

_IGNORED_FOLDERS = {"node_modules", "venv"}
_EDITOR_SUFFIXES = ("~", ".swp", ".swx", ".swo", ".tmp", ".bak", ".orig", ".pyc", ".pyo")


def is_pushed(relative: str) -> bool:
    """Return whether a file is part of a push; `relative` is its path below the functions folder."""
    *folders, name = relative.split("/")
    if any(folder.startswith(("_", ".")) or folder in _IGNORED_FOLDERS for folder in folders):
        return False
    if name == "__init__.py":
        return bool(folders)
    if name.startswith(("_", ".", "#")) or name.endswith(_EDITOR_SUFFIXES) or name == "4913":
        return False
    is_test = name == "conftest.py" or (
        name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))
    )
    return not is_test


@dataclass(frozen=True)
class SourceFile:
    """A file to push: its bytes and their SHA-256."""

    sha256: str
    content: bytes


class FunctionsFolder:
    """The files of one functions folder. A second look reads only what changed.

    Whether a file changed is told by size, time and inode; `scan(changed=…)` reads the named files in any
    case, for two saves within one tick of the file system's clock look alike. `requirements` is pushed as the folder's
    `requirements.txt`, in place of one that is there.
    """

    def __init__(self, folder: Path, *, label: str | None = None, requirements: Path | None = None) -> None:
        self.folder = folder
        self._requirements = requirements
        self.label = label or folder.name
        self._known: dict[str, tuple[tuple[int, int, int], SourceFile]] = {}

    def scan(self, changed: Iterable[str | Path] = ()) -> dict[str, SourceFile]:
        """Return every pushed file by its path below the folder, sorted.

        Raises:
            ProjectError: `ModuleAndFolder`, when `sessions.py` stands beside `sessions/`; `ConfigInvalid`, when the file
                of requirements can't be read.
        """
        suspects = {os.path.abspath(path) for path in changed}  # noqa: PTH100 - no Path objects on the hot path
        found: dict[str, tuple[tuple[int, int, int], SourceFile]] = {}
        for relative, path, stat in sorted(self._walk(str(self.folder), "")):
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._known.get(relative)
            if known is not None and known[0] == mark and path not in suspects:
                found[relative] = known
                continue
            try:
                content = Path(path).read_bytes()
            except FileNotFoundError:
                continue
            found[relative] = (mark, SourceFile(hashlib.sha256(content).hexdigest(), content))
        if self._requirements is not None:
            found["requirements.txt"] = ((0, 0, 0), _read_requirements(self._requirements))
            found = dict(sorted(found.items()))
        self._known = found
        self._check_twins(found)
        return {relative: file for relative, (_, file) in found.items()}

    def _walk(self, folder: str, prefix: str) -> Iterable[tuple[str, str, os.stat_result]]:
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        for entry in entries:
            relative = prefix + entry.name
            if entry.is_dir():
                if is_pushed(f"{relative}/x.py"):
                    yield from self._walk(entry.path, relative + "/")
            elif is_pushed(relative):
                try:
                    yield relative, os.path.abspath(entry.path), entry.stat()  # noqa: PTH100
                except FileNotFoundError:
                    continue

    def _check_twins(self, files: Iterable[str]) -> None:
        modules = {path for path in files if path.endswith(".py")}
        folders = {path.rpartition("/")[0] for path in modules}
        folders |= {
            "/".join(folder.split("/")[:depth])
            for folder in folders
            for depth in range(1, folder.count("/") + 1)
        }
        for module in sorted(modules):
            if module[:-3] in folders:
                file = f"{self.label}/{module}"
                raise ProjectError(
                    f"both {file} and the folder {file[:-3]}/ exist; Python can import only one of them",
                    code="ModuleAndFolder",
                    location=SourceLocation(file, 1),
                    hint=f"move the functions of {file} to {file[:-3]}/__init__.py",
                )


def _read_requirements(file: Path) -> SourceFile:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ProjectError(
            f"[python] requirements: cannot read {file.name}: {error.strerror}", code="ConfigInvalid"
        ) from error
    return SourceFile(hashlib.sha256(content).hexdigest(), content)


def has_typescript_functions(folder: Path) -> bool:
    """Return whether a folder holds functions written in TypeScript or JavaScript."""
    endings = (".ts", ".tsx", ".js", ".mjs")
    return any(
        path.name.endswith(endings) and not path.name.endswith(".d.ts") and "_generated" not in path.parts
        for path in folder.rglob("*")
        if "node_modules" not in path.parts
    )
