"""`convexpy init`: new folders, folders with files, and no questions without a terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from convexpy_cli.output.prompts import Prompts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = (
        path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_new_project_is_made_without_a_question(run: Any, folder: Path) -> None:
    shown = run("init", "My-App", "--json", "--no-git").json()
    assert (shown["template"], shown["functions"]) == ("minimal", "convex")
    assert shown["next"][:2] == ["cd My-App", "uv sync"] or shown["next"][:2] == ["cd My-App", "convexpy dev"]
    assert {each["path"] for each in shown["files"]} == set(files(folder / "My-App"))
    assert all(each["action"] == "create" for each in shown["files"])


def test_again_is_a_no_op(run: Any, folder: Path) -> None:
    run("init", "app", "-t", "chat", "--no-git")
    before = files(folder)
    shown = run("init", "app", "-t", "chat", "--no-git", "--yes", "--json").json()
    assert files(folder) == before
    assert {each["action"] for each in shown["files"]} == {"same"}


def test_a_dry_run_writes_nothing(run: Any, folder: Path) -> None:
    shown = run("init", "app", "--dry-run", "--json").json()
    assert shown["dryRun"]
    assert shown["files"]
    assert list(folder.iterdir()) == []


def test_commands_run_from_any_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    shown = run("init", "app", "-t", "chat", "--no-git", "--json").json()
    programs = [shlex.split(step)[0] for step in shown["next"] if not step.startswith(("cd ", "uv "))]
    assert len(programs) >= 2
    assert all(Path(program).is_absolute() and os.access(program, os.X_OK) for program in programs)


def test_the_project_depends_on_what_is_installed_here(run: Any, folder: Path) -> None:
    run("init", "app", "--no-git")
    (wanted, *_) = tomllib.loads((folder / "app" / "pyproject.toml").read_text())["project"]["dependencies"]
    requirement = Requirement(wanted)
    assert requirement.name == "convexpy"
    assert requirement.url or requirement.specifier


def test_a_dockerfile_names_where_convexpy_comes_from(run: Any, folder: Path) -> None:
    run("init", "app", "--docker", "--functions", "backend", "--no-git")
    text = (folder / "app" / "Dockerfile").read_text()
    (wanted,) = [line for line in text.splitlines() if "pip wheel" in line]
    assert Requirement(shlex.split(wanted)[-1]).name == "convexpy"
    assert "COPY backend/ /app/backend/" in text
    assert "!backend" in (folder / "app" / ".dockerignore").read_text().splitlines()
    run("init", "other", "--no-git")
    assert not (folder / "other" / "Dockerfile").exists()
    (folder / "site").mkdir()
    (folder / "site" / "manage.py").write_text("")
    assert "convexpy docs containers" in run("init", "site", "--docker", "--yes", "--no-git").stderr
    assert not (folder / "site" / ".dockerignore").exists()


def test_beside_an_application_only_functions_and_configuration_are_added(run: Any, folder: Path) -> None:
    (folder / "manage.py").write_text("")
    shown = run("init", ".", "-t", "chat", "--yes", "--no-git", "--json").json()
    added = {path.partition("/")[0] for path in files(folder)} - {"manage.py"}
    assert added == {".env.example", ".gitignore", "AGENTS.md", "convex", "convexpy.toml"}
    assert shown["next"] == ["convexpy dev --open"]


def test_yes_never_replaces_a_file(run: Any, folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "convexpy.toml").write_text('[project]\nname = "kept"\n')
    result = run("init", ".", "--yes", "--no-git")
    assert (folder / "README.md").read_text() == "mine"
    assert "yours is kept" in result.stderr
    assert 'name = "kept"' in (folder / "pyproject.toml").read_text()


def test_a_folder_with_files_has_to_be_named(run: Any, folder: Path) -> None:
    (folder / "x").write_text("")
    error = run("init", "--json", expect=4).error()
    assert (error["code"], error["hint"]) == ("InputRequired", "convexpy init DIR")


def test_typescript_functions_get_another_folder_beside_them(run: Any, folder: Path) -> None:
    (folder / "convex").mkdir()
    (folder / "convex" / "messages.ts").write_text("export {}")
    shown = run("init", ".", "--yes", "--no-git", "--json").json()
    assert shown["functions"] == "backend"
    assert (folder / "backend" / "schema.py").exists()
    assert 'functions = "backend"' in (folder / "convexpy.toml").read_text()
    assert [path.name for path in (folder / "convex").iterdir()] == ["messages.ts"]


def test_an_unknown_template_lists_what_there_is(run: Any) -> None:
    error = run("init", "app", "--template", "chatt", "--json", expect=2).error()
    assert "chat" in error["hint"]


def test_templates_can_be_listed(run: Any) -> None:
    listed = run("init", "--list-templates", "--json").json()
    names = [each["name"] for each in listed]
    assert names == sorted(names)
    assert {"chat", "minimal", "react"} <= set(names)
    assert run("init", "--list-templates").stdout.startswith(f"{names[0]}\t")


def test_a_repository_is_made_once(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "x")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "x@example.com")
    run("init", "app")
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=folder / "app", capture_output=True, text=True, check=True
    )
    assert log.stdout == "app: begin\n"
    run("init", "app")
    status = subprocess.run(
        ["git", "status", "--short"], cwd=folder / "app", capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


def test_no_agents_file_when_it_is_not_wanted(run: Any, folder: Path) -> None:
    run("init", "app", "--no-agents", "--no-git")
    assert not (folder / "app" / "AGENTS.md").exists()


def test_beside_react_the_template_is_react_and_what_is_missing_is_said(run: Any, folder: Path) -> None:
    mine = json.dumps({"name": "mine", "dependencies": {"react": "18.3.1", "react-dom": "18.3.1"}})
    (folder / "package.json").write_text(mine)
    shown = run("init", ".", "--yes", "--no-git", "--json").json()
    assert (shown["template"], shown["auth"]) == ("react", "none")
    assert (folder / "package.json").read_text() == mine
    assert any(step.startswith("npm install convex@") for step in shown["next"])


def test_a_front_end_is_installed_by_the_named_package_manager(run: Any) -> None:
    shown = run("init", "app", "-t", "react", "--package-manager", "pnpm", "--no-git", "--json").json()
    assert "pnpm install" in shown["next"]
    assert shown["next"][-1] == "convexpy dev"
    assert "npm" in run("init", "b", "--package-manager", "yarn", "--json", expect=2).error()["hint"]


def test_clerk_is_asked_for_by_its_variable(run: Any, folder: Path) -> None:
    shown = run("init", "app", "-t", "react", "--auth", "clerk", "--no-git", "--json").json()
    app = folder / "app"
    assert 'os.environ.get("CLERK_JWT_ISSUER_DOMAIN")' in (app / "convex" / "auth_config.py").read_text()
    assert 'required = ["CLERK_JWT_ISSUER_DOMAIN"]' in (app / "convexpy.toml").read_text()
    assert any(step.startswith("convexpy env set CLERK_JWT_ISSUER_DOMAIN") for step in shown["next"])
    package = json.loads((app / "package.json").read_text())
    assert {"@clerk/react", "convex", "react"} <= set(package["dependencies"])
    assert not (app / "package-lock.json").exists()
    assert "ConvexProviderWithClerk" in (app / "src" / "sign-in.tsx").read_text()
    assert not (app / "_auth").exists()
    run("-C", str(app), "codegen", "--check")


def test_the_wizard_asks_for_the_issuer(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = {"Template": "minimal", "Sign-in": "oidc", "Address of the issuer": "https://id.example"}

    def answer(self: Prompts, question: str, *rest: Any, default: Any = None, **more: Any) -> Any:
        asked.append(question)
        return answers.get(question, default if default is not None else "app-1")

    monkeypatch.setattr(Prompts, "allowed", lambda self: True)
    for name in ("text", "choose", "confirm"):
        monkeypatch.setattr(Prompts, name, answer)
    monkeypatch.setattr("convexpy_cli.init.wizard.install_packages", lambda *rest: None)
    run("init", "app", "--no-git")
    assert asked[:5] == [
        "Project name", "Template", "Sign-in", "Address of the issuer", "Application id (client id)",
    ]  # fmt: skip
    wanted = 'oidc(domain="https://id.example", application_id="app-1")'
    assert wanted in (folder / "app" / "convex" / "auth_config.py").read_text()


OIDC = ("--auth", "oidc", "--auth-issuer", "https://issuer.example.com/", "--auth-application", "chat-7")


@pytest.mark.parametrize("template", ["minimal", "chat", "react"])
def test_an_oidc_issuer_is_written_down(run: Any, folder: Path, template: str) -> None:
    run("init", "app", "-t", template, *OIDC, "--no-git")
    app = folder / "app"
    wanted = 'oidc(domain="https://issuer.example.com/", application_id="chat-7")'
    assert wanted in (app / "convex" / "auth_config.py").read_text()
    assert "issuer.example.com" in (app / "README.md").read_text()
    if template == "react":
        assert "VITE_OIDC_CLIENT_ID=chat-7" in (app / ".env").read_text()
        assert "ConvexProviderWithAuth" in (app / "src" / "sign-in.tsx").read_text()
    run("-C", str(app), "codegen", "--check")


def test_an_issuer_that_is_missing_or_no_address_is_refused(run: Any, folder: Path) -> None:
    asked = run("init", "app", "--auth", "oidc", "--json", expect=4).error()
    assert asked["hint"] == "--auth-issuer URL"
    run("init", "app", *OIDC[:4], "--json", expect=4)
    for issuer in ("issuer", 'https://x"); import os', "https://x y"):
        run("init", "app", "--auth", "oidc", "--auth-issuer", issuer, *OIDC[4:], expect=2)
    run("init", "app", "--auth", "clerk", *OIDC[2:4], expect=2)
    assert "clerk" in run("init", "app", "--auth", "clark", "--json", expect=2).error()["hint"]
    assert list(folder.iterdir()) == []
