"""The shape of the code base: no import circles, private modules stay private, rooms and modules of a bounded size."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"convexpy": ROOT / "src" / "convexpy", "convexpy_cli": ROOT / "cli" / "convexpy_cli"}
LINES_MAX = 400
ENTRIES_MAX = 26


@cache
def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by dotted name."""
    folder = PACKAGES[package]
    found: dict[str, Path] = {}
    for path in folder.rglob("*.py"):
        parts = [package, *path.relative_to(folder).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(package: str) -> dict[str, set[str]]:
    """Return what each module imports of its package: everywhere in it, also under `TYPE_CHECKING`."""
    known = modules(package)
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name in known}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} has a relative import"
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    found |= {submodule} if submodule in known else {node.module or ""} & known.keys()
        graph[name] = found - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_the_search_finds_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(package: str) -> None:
    assert circles(imports(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_private_modules_are_imported_in_their_own_room_only(package: str) -> None:
    foreign = [
        f"{name} imports {other}"
        for name, others in imports(package).items()
        for other in others
        if other.rpartition(".")[2].startswith("_")
        and not other.rpartition(".")[2].startswith("__")
        and other != f"{package}._version"
        and not f"{name}.".startswith(f"{other.rpartition('.')[0]}.")
    ]
    assert foreign == []


def every_file() -> Iterator[Path]:
    for package in PACKAGES:
        yield from modules(package).values()


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for path in every_file()
        if (length := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


def test_no_folder_has_more_entries_than_one_can_look_through() -> None:
    wide: dict[str, int] = {}
    for folder in {path.parent for path in every_file()}:
        entries = [
            entry
            for entry in folder.iterdir()
            if entry.name not in ("__init__.py", "__init__.pyi", "__main__.py", "py.typed")
            and (entry.is_file() or any(entry.rglob("*.py")))
        ]
        if len(entries) > ENTRIES_MAX:
            wide[str(folder.relative_to(ROOT))] = len(entries)
    assert wide == {}


@pytest.mark.slow
def test_the_server_loads_nothing_of_the_sandbox() -> None:
    program = (
        "import sys, convexpy.serve.server, convexpy.deployment, convexpy.services.monitoring.metrics\n"
        "print(*(name for name in sys.modules if name.startswith('convexpy.sandbox')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.slow
def test_what_runs_beside_app_code_loads_nothing_of_the_server() -> None:
    program = (
        "import sys, convexpy.sandbox.worker, convexpy.sandbox.forkserver, convexpy.sandbox.transfers.import_worker\n"
        "rooms = ('executors', 'engine', 'services', 'http', 'serve', 'sync', 'deployment', 'auth')\n"
        "print(*(name for name in sys.modules if name.startswith(tuple(f'convexpy.{room}' for room in rooms))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
