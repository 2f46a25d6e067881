"""Which files of the functions folder are pushed, and their hashes.

Modules and the data files beside them are; names that start with `_` or `.`, tests, caches and what editors
leave behind are not. `__init__.py` of sub-folders is the one exception to the underscore.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from convexpy.errors import ProjectError, SourceLocation
from convexpy.printable import one_line
from convexpy.project._locate import Project
from convexpy.protocol.admin_api import PushFile

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


class FunctionsFolder:
    """The files of one functions folder. A second look reads only what changed.

    Whether a file changed is told by size, time and inode; `scan(changed=…)` reads the named files in any
    case, for two saves within one tick of the file system's clock look alike. `requirements` is pushed as the folder's
    `requirements.txt`, in place of one that is there. What cannot be pushed (a link to nothing, a socket, a file that
    cannot be read) is left out, and told to `warn` once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        label: str | None = None,
        requirements: Path | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder
        self._warn = warn
        self._left_out: dict[str, str] = {}
        self._requirements = requirements
        self.label: str = label or folder.name
        self._known: dict[str, tuple[tuple[int, int, int], PushFile]] = {}

    @classmethod
    def of(cls, project: Project, warn: Callable[[str], None]) -> FunctionsFolder:
        """Return the functions folder of a project; what cannot be pushed is told to `warn`."""
        label, requirements = project.config.functions, project.requirements
        return cls(project.functions, label=label, requirements=requirements, warn=warn)

    def scan(self, changed: Iterable[str | Path] = ()) -> dict[str, PushFile]:
        """Return every pushed file by its path below the folder, sorted.

        Raises:
            ProjectError: `ModuleAndFolder`, when `sessions.py` stands beside `sessions/`; `ConfigInvalid`, when the file
                of requirements cannot be read.
        """
        suspects = {os.path.abspath(path) for path in changed}  # noqa: PTH100 - no Path objects on the hot path
        found: dict[str, tuple[tuple[int, int, int], PushFile]] = {}
        left_out: dict[str, str] = {}
        for relative, path, state in sorted(self._walk(str(self.folder), "", left_out, ())):
            mark = (state.st_mtime_ns, state.st_size, state.st_ino)
            known = self._known.get(relative)
            if known is not None and known[0] == mark and path not in suspects:
                found[relative] = known
                continue
            try:
                content = Path(path).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                left_out[relative] = str(error.strerror)
                continue
            found[relative] = (mark, PushFile(hashlib.sha256(content).hexdigest(), content))
        if self._requirements is not None:
            found["requirements.txt"] = ((0, 0, 0), _read_requirements(self._requirements))
            found = dict(sorted(found.items()))
        self._known = found
        for relative, reason in left_out.items():
            if self._left_out.get(relative) != reason:
                self._warn(f"{self.label}/{one_line(relative)} is not pushed: {reason}")
        self._left_out = left_out
        self._check_twins(found)
        return {relative: file for relative, (_, file) in found.items()}

    def _walk(
        self, folder: str, prefix: str, left_out: dict[str, str], above: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, str, os.stat_result]]:
        """Yield path, absolute path and state of every file; `above` are the folders around, to notice links to them."""
        try:
            place = os.stat(folder)  # noqa: PTH116 - no Path objects on the hot path
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return  # it has just vanished
        except OSError as error:
            left_out[prefix] = str(error.strerror)
            return
        here = (place.st_dev, place.st_ino)
        if here in above:
            left_out[prefix] = "it is a link to a folder that it is in"
            return
        for entry in entries:
            relative = prefix + entry.name
            try:
                is_folder = entry.is_dir()
                if not is_pushed(f"{relative}/x.py" if is_folder else relative):
                    continue
                if not _is_text(entry.name):
                    left_out[relative] = "its name is not UTF-8"
                elif is_folder:
                    yield from self._walk(entry.path, relative + "/", left_out, (*above, here))
                elif stat.S_ISREG((found := entry.stat()).st_mode):
                    yield relative, os.path.abspath(entry.path), found  # noqa: PTH100
                else:
                    left_out[relative] = "it is not a regular file"
            except FileNotFoundError:
                if entry.is_symlink():
                    left_out[relative] = "it is a link to nothing"
            except OSError as error:
                left_out[relative] = str(error.strerror)

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


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_requirements(file: Path) -> PushFile:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ProjectError(
            f"[python] requirements: cannot read {file.name}: {error.strerror}", code="ConfigInvalid"
        ) from error
    return PushFile(hashlib.sha256(content).hexdigest(), content)


def has_typescript_functions(folder: Path) -> bool:
    """Return whether a folder holds functions written in TypeScript or JavaScript."""
    endings = (".ts", ".tsx", ".js", ".mjs")
    return any(
        path.name.endswith(endings) and not path.name.endswith(".d.ts") and "_generated" not in path.parts
        for path in folder.rglob("*")
        if "node_modules" not in path.parts
    )
