"""Two packages name their exports twice: for type checkers, and for the import at first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import convexpy
from convexpy import project

SOURCE = Path(convexpy.__file__).read_text()


def test_the_names_for_checkers_are_those_for_run_time() -> None:
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    for_checkers = {
        (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    at_run_time = {(home, name) for home, names in convexpy._HOMES.items() for name in names}
    assert for_checkers == at_run_time
    assert sorted(name for _, name in at_run_time) == sorted(convexpy.__all__)


def test_every_export_is_there() -> None:
    for name in convexpy.__all__:
        assert getattr(convexpy, name) is not None


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, convexpy; print([name for name in sys.modules if name.startswith(('convexpy.', 'msgspec', 'starlette'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_room_of_projects_loads_what_is_used() -> None:
    source = ast.parse(Path(project.__file__).read_text())
    block = next(node for node in source.body if isinstance(node, ast.If))
    for_checkers = {
        (str(node.module).removeprefix("convexpy.project."), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert for_checkers == {(home, name) for home, names in project._HOMES.items() for name in names}
    assert sorted(name for _, name in for_checkers) == sorted(project.__all__)
    assert all(getattr(project, name) is not None for name in project.__all__)
    code = "import sys; from convexpy.project import resolve_target; print('convexpy.project._scaffold' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
