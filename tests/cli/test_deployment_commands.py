"""`deployment`, `login`, `logout`, `status`: names, remembered keys, and targets without a project."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.terminal import Terminal

from convexpy.project import LocalDeployment, open_project

pytestmark = pytest.mark.slow

CONFIG = """# who we are
[project]
name = "app"   # the name

# where it runs
[deployments.staging]
url = "https://staging.example.com"

# the real one
[deployments.live]
url = "https://api.example.com"
production = true
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server with an app."""
    server = ServerProcess(tmp_path_factory.mktemp("deployments") / "data")
    server.push_ok({"a.py": "from convexpy import query\n@query\ndef one(ctx) -> int:\n    return 1\n"})
    yield server
    server.close()


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The folder of the user's own files."""
    return tmp_path / "user"


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a line on standard input."""
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))


def test_a_server_is_added_used_renamed_and_removed(
    server: ServerProcess, run: Any, project: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = project / "convexpy.toml"
    config.write_text(CONFIG)
    give(monkeypatch, server.admin_key)
    added = run("deployment", "add", "lab", "--url", server.url, "--protected", "--key", "-")
    assert server.admin_key not in added.stdout + added.stderr
    assert config.read_text() == CONFIG + f'\n[deployments.lab]\nurl = "{server.url}"\nprotected = true\n'
    assert server.admin_key not in config.read_text()
    assert stat.S_IMODE((user / "credentials.toml").stat().st_mode) == 0o600
    assert run("run", "a:one", "-d", "lab").stdout == "1\n"
    shown = run("deployment", "show", "lab", "--json").json()
    assert (shown["url"], shown["protected"], shown["serverVersion"][:8]) == (server.url, True, "convexpy")
    selected = run("deployment", "select", "lab")
    assert "local → lab" in selected.stderr
    local = (project / ".env.local").read_text()
    assert "CONVEXPY_DEPLOYMENT=lab" in local
    assert f"CONVEX_URL={server.url}" in local
    rows = {row["name"]: row for row in run("deployment", "list", "--json").json()}
    assert set(rows) == {"local", "staging", "live", "lab"}
    assert (rows["lab"]["selected"], rows["lab"]["hasKey"], rows["live"]["production"]) == (True, True, True)
    run("deployment", "rename", "lab", "bench")
    assert "CONVEXPY_DEPLOYMENT=bench" in (project / ".env.local").read_text()
    assert run("run", "a:one").stdout == "1\n"
    assert run("deployments").stdout.count("\n") == 4
    run("deployment", "remove", "bench")
    assert config.read_text() == CONFIG
    run("deployment", "remove", "staging")
    assert "# the real one\n[deployments.live]" in config.read_text()
    assert "staging" not in config.read_text()
    assert run("deployment", "remove", "staging", "--json", expect=3).error()["code"] == "TargetUnknown"


def test_what_is_added_is_checked_first(
    server: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (project / "convexpy.toml").read_text()
    add = ("deployment", "add", "lab", "--url", server.url)
    assert "--key -" in run(*add, "--json", expect=4).error()["hint"]
    give(monkeypatch, f"{server.admin_key[:-4]}0000")
    run(*add, "--key", "-", expect=5)
    run("deployment", "add", "lab", "--url", "http://127.0.0.1:1", "--key", "-", expect=6)
    for name in ("local", "a b", "preview", "-x"):
        run("deployment", "add", "--url", server.url, "--", name, expect=2)
    assert (project / "convexpy.toml").read_text() == before


def test_production_is_not_selected_for_development(run: Any, project: Path) -> None:
    (project / "convexpy.toml").write_text(CONFIG)
    assert run("deployment", "select", "live", expect=9).stderr.count("production")
    assert not (project / ".env.local").exists()
    assert (
        run("deployment", "select", "stagin", "--json", expect=3).error()["hint"] == "did you mean 'staging'?"
    )


def test_pyproject_is_edited_below_its_own_section(
    server: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "convexpy.toml").unlink()
    text = '[project]\nname = "x"\n\n[tool.convexpy.project]\nname = "app"\n'
    (project / "pyproject.toml").write_text(text)
    give(monkeypatch, server.admin_key)
    run("deployment", "add", "lab", "--url", server.url, "--key", "-")
    assert (
        project / "pyproject.toml"
    ).read_text() == text + f'\n[tool.convexpy.deployments.lab]\nurl = "{server.url}"\n'
    assert run("run", "a:one", "-d", "lab").stdout == "1\n"


def test_a_key_is_remembered_and_forgotten_without_a_project(
    server: ServerProcess, run: Any, tmp_path: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    user.mkdir()
    (user / "credentials.toml").write_text('# mine\n["https://other.example.com"]\nkey = "o|1"  # old\n')
    (user / "credentials.toml").chmod(0o600)
    give(monkeypatch, server.admin_key)
    run("login", server.url, "--name", "lab", "--key", "-")
    kept = (user / "credentials.toml").read_text()
    assert kept.startswith('# mine\n["https://other.example.com"]\nkey = "o|1"  # old\n')
    listed = run("login", "status")
    assert server.url in listed.stdout
    assert server.admin_key.partition("|")[2] not in listed.stdout
    assert run("run", "a:one", "-d", "lab").stdout == "1\n"
    assert run("run", "a:one", "-d", server.url).stdout == "1\n"
    assert run("deployment", "list", "--json").json()[0]["name"] == "lab"
    assert run("logout", "lab", "--json").json() == {"forgotten": [server.url]}
    assert 'key = "o|1"  # old' in (user / "credentials.toml").read_text()
    run("logout", "lab", expect=3)
    run("run", "a:one", "-d", "lab", expect=3)
    run("login", server.url, expect=4)
    run("login", "ftp://x", "--key", "-", expect=2)
    run("logout", expect=2)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "a:one"), ("env", "list"), ("logs", "--no-follow"), ("keys", "list"), ("status",),
        ("deployment", "history"), ("deployment", "show"), ("crons", "list"), ("schedule", "list"), ("storage", "list"),
    ],
)  # fmt: skip
def test_an_explicit_target_needs_no_project(
    server: ServerProcess,
    run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, server.admin_key)
    run(*command, "--url", server.url, "--admin-key", "-")
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    run(*command)
    monkeypatch.delenv("CONVEXPY_URL")
    monkeypatch.delenv("CONVEXPY_DEPLOY_KEY")
    assert "ProjectNotFound" in run(*command, expect=3).stderr


def test_at_a_terminal_the_key_is_asked_for_and_not_shown(
    server: ServerProcess, run: Any, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, "login", server.url, "--name", "lab")
    terminal.wait_for(f"Key for {server.url}")
    terminal.type(server.admin_key + "\r")
    terminal.wait_for("is stored")
    assert terminal.close() == (0, "lab\n")
    assert server.admin_key.partition("|")[2] not in terminal.seen
    assert run("run", "a:one", "-d", "lab").stdout == "1\n"


def test_status(server: ServerProcess, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    found = run("status", "--json").json()
    assert {
        "deployment", "reachable", "latencyMs", "versions", "live", "functions", "tables", "building", "clients",
        "errorRate1h", "disk", "crons",
    } <= set(found)  # fmt: skip
    assert (found["functions"], found["live"]["version"], found["reachable"]) == (1, 1, True)
    text = run("status").stdout
    assert "live        version 1" in text
    monkeypatch.setenv("CONVEXPY_URL", "http://127.0.0.1:1")
    down = run("status", "--json", expect=6)
    assert down.json()["reachable"] is False
    run("status", expect=6)


def test_status_of_the_local_deployment_does_not_start_it(run: Any, project: Path) -> None:
    assert "convexpy dev" in run("status", expect=6).stderr
    assert not (project / ".convexpy").exists()


def test_local_data_goes_only_with_consent(run: Any, project: Path) -> None:
    local = LocalDeployment(open_project(project))
    run("env", "set", "A", "1")
    key = local.admin_key()
    assert run("env", "list").stdout.startswith("A")
    assert run("deployment", "reset", "local", "--json", expect=9).error()["hint"] == "--allow=data-delete"
    assert run("env", "list").stdout.startswith("A")
    run("deployment", "reset", "prod", expect=2)
    run("deployment", "reset", "local", "--allow=data-delete")
    assert run("env", "list").stdout == ""
    assert local.admin_key() == key
