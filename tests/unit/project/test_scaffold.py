"""Scaffolds: rendering, and that nothing of the developer's is ever replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.errors import ProjectError
from convexpy.project import (
    SIGN_IN_KINDS,
    SignIn,
    as_new,
    list_scaffolds,
    package_name,
    plan_files,
    render_scaffold,
    write_planned,
)

SCAFFOLDS = Path(__file__).parents[3] / "scaffolds"
ALL = sorted(list_scaffolds(SCAFFOLDS))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("kind", SIGN_IN_KINDS)
@pytest.mark.parametrize("name", ALL)
def test_everything_is_filled_in(name: str, kind: str) -> None:
    oidc = kind == "oidc"
    files = render_scaffold(
        list_scaffolds(SCAFFOLDS)[name],
        name="My App",
        functions="fns",
        extras=["AGENTS.md"],
        sign_in=SignIn(kind, "https://id.example" if oidc else "", "app" if oidc else ""),
    )
    assert kind == "none" or "fns/auth_config.py" in files
    assert not any(path.startswith("_") or path.endswith(".append") for path in files)
    assert {
        "convexpy.toml",
        "pyproject.toml",
        ".gitignore",
        "README.md",
        "AGENTS.md",
        "fns/schema.py",
    } <= set(files)
    assert not any(b"{{" in content for content in files.values())
    assert not any(path.startswith("convex/") or "_gitignore" in path for path in files)
    assert b'name = "my-app"' in files["pyproject.toml"]
    assert b'name = "My App"' in files["convexpy.toml"]
    assert any(path.startswith("tests/test_") for path in files)
    assert "fns/_generated/api.pyi" in files
    assert "fns/__init__.py" not in files


def test_writing_twice_is_a_no_op(tmp_path: Path) -> None:
    files = render_scaffold(list_scaffolds(SCAFFOLDS)["minimal"], name="x")
    written = write_planned(tmp_path, plan_files(tmp_path, files, "convex"))
    assert len(written) == len(files)
    before = contents(tmp_path)
    again = plan_files(tmp_path, files, "convex")
    assert {each.action for each in again} == {"same"}
    assert write_planned(tmp_path, again) == []
    assert contents(tmp_path) == before


def test_a_file_that_differs_is_kept_and_gitignore_gets_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").write_text("/.convexpy\ndist")
    files = render_scaffold(list_scaffolds(SCAFFOLDS)["minimal"], name="x")
    plan = plan_files(tmp_path, files, "convex")
    actions = {each.path: each.action for each in plan}
    assert (actions["README.md"], actions[".gitignore"], actions["convexpy.toml"]) == (
        "keep",
        "update",
        "create",
    )
    write_planned(tmp_path, plan)
    assert (tmp_path / "README.md").read_text() == "mine"
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["/.convexpy", "dist"]
    assert ".convexpy/" not in lines
    assert {".env.local", "snapshot_*.zip*", "backup_*.zip*"} <= {*lines}
    write_planned(tmp_path, [as_new(each) for each in plan if each.path == "README.md"])
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "README.md.new").read_bytes() == files["README.md"]


def test_functions_that_are_there_stay_alone(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "mine.py").write_text("")
    files = render_scaffold(list_scaffolds(SCAFFOLDS)["minimal"], name="x")
    paths = {each.path for each in plan_files(tmp_path, files, "convex")}
    assert "convexpy.toml" in paths
    assert not any(path.startswith(("convex/", "tests/")) for path in paths)


@pytest.mark.parametrize(
    ("name", "package"), [("My App", "my-app"), ("x_y", "x-y"), ("Über", "ber"), ("!", "app")]
)
def test_names_of_packages(name: str, package: str) -> None:
    assert package_name(name) == package


def scaffold_with_layers(root: Path) -> Path:
    texts = {
        "made/scaffold.toml": 'title = "made"\ndescription = ""\n',
        "made/kept.py": "base",
        "made/replaced.py": "base",
        "made/README.md": "# {{name}}\n",
        "made/package.json": '{"name": "{{package}}", "dependencies": {"b": "1"}}',
        "made/package-lock.json": "{}",
        "_auth/oidc/README.md.append": "for {{application_id}}\n",
        "_auth/oidc/replaced.py": "common",
        "made/_auth/sign-in/replaced.py": "any sign-in",
        "made/_auth/oidc/package.json": '{"dependencies": {"a": "2"}}',
        "made/_auth/oidc/README.md.append": "of {{issuer}}\n",
        "made/_auth/clerk/replaced.py": "clerk",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_sign_in_lies_over_the_scaffold(tmp_path: Path) -> None:
    scaffold = list_scaffolds(scaffold_with_layers(tmp_path))["made"]
    plain = render_scaffold(scaffold, name="X")
    assert set(plain) == {"kept.py", "replaced.py", "README.md", "package.json", "package-lock.json"}
    assert plain["replaced.py"] == b"base"
    files = render_scaffold(scaffold, name="X", sign_in=SignIn("oidc", "https://id.example", "app"))
    assert (files["kept.py"], files["replaced.py"]) == (b"base", b"any sign-in")
    assert files["README.md"] == b"# X\nfor app\nof https://id.example\n"
    package = '{\n  "name": "x",\n  "dependencies": {\n    "a": "2",\n    "b": "1"\n  }\n}\n'
    assert files["package.json"].decode() == package
    assert "package-lock.json" not in files
    assert render_scaffold(scaffold, name="X", sign_in=SignIn("clerk"))["replaced.py"] == b"clerk"


@pytest.mark.parametrize(
    "issuer", ["", "id.example", "ftp://id.example", "https://", 'https://x"y', "https://x\ny"]
)
def test_an_issuer_that_is_no_address_never_reaches_a_source_file(issuer: str) -> None:
    minimal = list_scaffolds(SCAFFOLDS)["minimal"]
    with pytest.raises(ProjectError):
        render_scaffold(minimal, name="x", sign_in=SignIn("oidc", issuer, "app"))


@pytest.mark.parametrize("application", ["", "a b", 'x"y', "$x", "{x}"])
def test_nor_does_an_application_id_that_is_no_word(application: str) -> None:
    with pytest.raises(ProjectError):
        SignIn("oidc", "https://id.example", application).check()
