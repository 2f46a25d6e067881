"""Findings of the checkers, in one form."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from convexpy.errors import ProjectError
from convexpy.project import Diagnostic, find_checker, open_project, run_checker


def checker(folder: Path, output: str, status: int) -> str:
    script = folder / "checker.py"
    script.write_text(f"import sys\nprint({output!r})\nsys.exit({status})\n")
    return f"{sys.executable} {script}"


def test_lines_of_a_command_are_read(tmp_path: Path) -> None:
    line = (
        f"{tmp_path}/convex/a.py:3:7: error: Name is not defined  [name-defined]\nconvex/b.py:1: warning: hm"
    )
    result = run_checker(open_project(tmp_path), checker(tmp_path, line, 1))
    assert not result.ok
    assert result.diagnostics == (
        Diagnostic("convex/a.py", 3, 7, "name-defined", "Name is not defined", "error"),
        Diagnostic("convex/b.py", 1, 1, "", "hm", "warning"),
    )


def test_no_findings_is_fine_and_a_failure_is_an_error(tmp_path: Path) -> None:
    project = open_project(tmp_path)
    assert run_checker(project, checker(tmp_path, "", 0)).ok
    with pytest.raises(ProjectError, match="boom"):
        run_checker(project, checker(tmp_path, "boom", 2))


def test_the_configured_checker_is_used(tmp_path: Path) -> None:
    (tmp_path / "convexpy.toml").write_text('[typecheck]\nchecker = "mypy"\n')
    assert find_checker(open_project(tmp_path)) == "mypy"
    assert find_checker(open_project(tmp_path), "ty") == "ty"
    with pytest.raises(ProjectError, match="not installed"):
        run_checker(open_project(tmp_path), "no-such-checker")
