"""Configuration: defaults, the place of every mistake, warnings with a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.errors import ProjectError
from convexpy.project import find_project, read_config


def written(folder: Path, text: str, name: str = "convexpy.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    assert (config.functions, config.default_deployment, config.port, config.typecheck) == (
        "convex",
        "local",
        None,
        "try",
    )


def test_everything_that_is_written_is_read(tmp_path: Path) -> None:
    text = """
[project]
name = "shop"
functions = "backend/"
function-case = "camel"
[deployment]
default = "staging"
[deployments.staging]
url = "https://s.example.com/"
protected = true
[dev]
port = 4000
watch-extra = ["shared/"]
poll = false
[env]
required = ["A"]
"""
    config = read_config(written(tmp_path, text))
    assert (config.name, config.functions, config.function_case) == ("shop", "backend", "camel")
    assert config.deployments["staging"].url == "https://s.example.com"
    assert config.deployments["staging"].protected
    assert (config.port, config.watch_extra, config.poll, config.required_env) == (
        4000,
        ("shared/",),
        False,
        ("A",),
    )
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ('[dev]\nport = "3210"\n', 2, 8, "dev.port"),
        ("[dev]\n\nport = true\n", 3, 8, "dev.port"),
        ('[dev]\ntypecheck = "maybe"\n', 2, 13, "dev.typecheck"),
        ("[project]\nname = 3\n", 2, 8, "project.name"),
        ("[deployments.x]\nproduction = true\n", 1, 1, "deployments.x"),
        ("[dev\n", 1, 5, "TOML"),
    ],
)
def test_a_wrong_value_is_an_error_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, word: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        read_config(written(tmp_path, text))
    assert caught.value.code == "ConfigInvalid"
    assert word in caught.value.message
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (line, column)


def test_an_unknown_key_is_a_warning_with_a_suggestion(tmp_path: Path) -> None:
    warnings = read_config(written(tmp_path, "[dev]\nprot = 1\n[devv]\nx = 1\n")).warnings
    assert "convexpy.toml:2" in warnings[0]
    assert "'port'" in warnings[0]
    assert "'dev'" in warnings[1]


def test_the_section_of_pyproject_is_read_and_both_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "[project]\nname = 'x'\n[tool.convexpy.project]\nfunctions = 'fns'\n", "pyproject.toml")
    assert read_config(tmp_path).functions == "fns"
    written(tmp_path, "")
    with pytest.raises(ProjectError, match="both"):
        read_config(tmp_path)


def test_the_project_is_found_from_a_folder_inside(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(ProjectError) as caught:
        find_project(inner)
    assert caught.value.code == "ProjectNotFound"
    (tmp_path / "convex").mkdir()
    assert find_project(inner).root == tmp_path
    written(tmp_path / "a", "")
    assert find_project(inner).root == tmp_path / "a"


def test_the_official_configuration_names_the_functions_folder(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    written(tmp_path, '{"functions": "server/"}', "convex.json")
    project = find_project(tmp_path)
    assert project.config.functions == "server"
    assert "convex.json" in project.warnings[0]
