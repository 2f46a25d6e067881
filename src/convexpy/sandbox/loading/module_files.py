"""Which files of a functions folder are modules. Paths are plain strings here: a push lists the folder of a large app."""

from __future__ import annotations

import os
from pathlib import Path


def module_paths(folder: Path) -> dict[str, Path]:
    """Return the modules of a functions folder: `"sessions/queries"` → file, by the rules of what is pushed."""
    found: dict[str, Path] = {}
    for parts in _python_files(folder):
        *folders, name = parts
        path = folder.joinpath(*parts)
        if not "".join(parts).isprintable() or not path.is_file():
            continue  # a link to nothing, a pipe, a name that is not UTF-8: not pushed either
        if any(part.startswith((".", "_")) and part != "__init__.py" for part in parts):
            continue
        if name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py":
            continue
        if name == "__init__.py":
            if folders:
                found["/".join(folders)] = path
            continue
        found.setdefault("/".join(parts).removesuffix(".py"), path)
    return found


def module_beside_folder(folder: Path) -> str:
    """Return the first `"sessions.py"` beside a folder `sessions` of modules; `""` if there is none."""
    files = _python_files(folder)
    folders = {parts[:length] for parts in files for length in range(1, len(parts))}
    for *above, name in files:
        if (*above, name.removesuffix(".py")) in folders:
            return "/".join((*above, name))
    return ""


def _python_files(folder: Path) -> list[tuple[str, ...]]:
    """Return the parts of the paths of all Python files below a folder, sorted."""
    root = os.fspath(folder)
    found: list[tuple[str, ...]] = []
    for place, _, names in os.walk(root):
        above = Path(place[len(root) + 1 :]).parts
        found += [(*above, name) for name in names if name.endswith(".py")]
    return sorted(found)
