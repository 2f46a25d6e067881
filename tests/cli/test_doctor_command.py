"""`convexpy doctor`: what each check finds, what --fix repairs, and that no check hangs or takes others with it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from typer.core import TyperCommand

from convexpy.project import Config, setting_fields
from convexpy_cli.context import Context
from convexpy_cli.doctor import examination, files, project_checks
from convexpy_cli.doctor.findings import Check, Finding, Scene, ok

KEY = "happy-otter-123|02" + "ab" * 32


def by_check(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The worst finding of each check."""
    ranks = ("skip", "ok", "warn", "fail")
    ordered = sorted(found, key=lambda each: ranks.index(each["status"]))
    return {each["check"]: each for each in ordered}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clean(project: Path) -> Path:
    """A project in git with nothing to complain about."""
    git(project, "init", "-q")
    (project / ".gitignore").write_text(".env.local\n.convexpy/\n")
    git(project, "add", "-A")
    return project


def test_without_a_project_there_is_nothing_to_look_at(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = by_check(run("doctor", "--json").json())
    assert found["python"]["status"] == "ok"
    assert {found[name]["status"] for name in ("project", "layout", "target", "reachable")} == {"skip"}


def test_a_clean_project_has_nothing_wrong(run: Any, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever else this machine is doing.
    def free(_port: int) -> bool:
        return True

    monkeypatch.setattr(project_checks, "port_is_free", free)
    monkeypatch.setattr(files, "WATCH_TIMEOUT_S", 12.0)
    result = run("doctor", "--json")
    assert set(result.json()[0]) >= {"check", "status", "message", "fix", "fixed"}
    found = by_check(result.json())
    assert {name for name, each in found.items() if each["status"] == "fail"} == set()
    assert found["watching"]["status"] == "ok"
    assert found["settings"]["details"][0] == "project.name = 'app'  (convexpy.toml:2)"
    assert not list((clean / "convex").glob(".doctor*"))
    assert "no problems found" in run("doctor").stdout


def test_traps_are_found_and_repaired(run: Any, clean: Path) -> None:
    (clean / "convex" / "__init__.py").touch()
    (clean / ".gitignore").write_text("x")  # without a newline at the end
    lock = clean / ".convexpy" / "local" / "default" / "lock.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"pid": 2**22 + 1, "startTime": "1"}))
    found = by_check(run("doctor", "--json", expect=1).json())
    assert {name: found[name]["status"] for name in ("layout", "env-ignored", "lock")} == {
        "layout": "fail",
        "env-ignored": "fail",
        "lock": "warn",
    }
    assert all(found[name]["fix"] and found[name]["why"] for name in ("layout", "env-ignored", "lock"))
    fixed = by_check(run("doctor", "--fix", "--json").json())
    assert fixed["layout"]["fixed"]
    assert not (clean / "convex" / "__init__.py").exists()
    assert (clean / ".gitignore").read_text() == "x\n.env.local\n"
    assert not lock.exists()
    assert (clean / ".convexpy" / ".gitignore").read_text() == "*\n"
    again = by_check(run("doctor", "--json").json())
    assert not any(each["fixed"] for each in again.values())


def test_what_is_not_safe_is_left_alone_without_consent(run: Any, clean: Path) -> None:
    (clean / "convex" / "__init__.py").write_text("x = 1\n")
    (clean / ".env.local").write_text("A=1\n")
    git(clean, "add", "-f", ".env.local")
    found = by_check(run("doctor", "--fix", "--json", expect=1).json())
    assert not found["layout"]["fixed"]
    assert not found["env-ignored"]["fixed"]
    assert (clean / "convex" / "__init__.py").exists()
    run("doctor", "--fix", "--yes", "--json")
    tracked = subprocess.run(["git", "ls-files"], cwd=clean, capture_output=True, text=True, check=True)
    assert ".env.local" not in tracked.stdout
    assert (clean / ".env.local").read_text() == "A=1\n"


def test_keys_in_tracked_files_are_named_by_place_and_never_shown(run: Any, clean: Path) -> None:
    (clean / "deploy.sh").write_text(f"# deploy\nexport CONVEXPY_DEPLOY_KEY='{KEY}'\n")
    (clean / "old.txt").write_text("prod:happy-otter-123|" + "eyJ2MiI6" * 8)
    (clean / "table.md").write_text("a|b\n|" + "0" * 70 + "\n")
    assert by_check(run("doctor", "--json").json())["secrets"]["status"] == "ok"  # not yet tracked
    git(clean, "add", "-A")
    result = run("doctor", "--json", expect=1)
    secrets = by_check(result.json())["secrets"]
    assert secrets["message"] == "keys in tracked files: deploy.sh:2, old.txt:1"
    assert KEY.split("|")[1] not in result.stdout + result.stderr


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_readable_credentials_are_closed(run: Any, clean: Path, tmp_path: Path) -> None:
    file = tmp_path / "user" / "credentials.toml"
    file.parent.mkdir()
    file.write_text('["https://a.example"]\nkey = "a|b"\n')
    file.chmod(0o644)
    assert by_check(run("doctor", "--json", expect=1).json())["credentials"]["status"] == "fail"
    run("doctor", "--fix")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_broken_configuration_is_a_finding_with_its_place(run: Any, project: Path) -> None:
    (project / "convexpy.toml").write_text('[dev]\nport = "x"\n')
    found = by_check(run("doctor", "--json", expect=1).json())
    assert found["config"]["message"].startswith("convexpy.toml:2:8: dev.port is the string 'x'")
    assert found["python"]["status"] == "ok"
    (project / "convexpy.toml").write_text(
        '[dev]\nprot = 1\n[project]\nrequires-convexpy = ">=99"\n[typecheck]\nchecker = "nonesuch"\n'
    )
    found = by_check(run("doctor", "--json", expect=1).json())
    assert [found[name]["status"] for name in ("config", "requires", "checker")] == ["warn", "fail", "fail"]


def test_a_port_of_somebody_else(run: Any, clean: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (clean / "convexpy.toml").write_text(f"[dev]\nport = {port}\n")
        ports = by_check(run("doctor", "--json", expect=1).json())["ports"]
    assert f"{port} is in use by" in ports["message"]


def test_every_setting_is_told_of() -> None:
    internal = {"file", "deployments", "warnings"}
    assert set(setting_fields().values()) == {field.name for field in fields(Config)} - internal


def scene() -> Scene:
    return Scene(Context(TyperCommand("doctor")))


def test_a_check_that_crashes_or_hangs_is_a_failure_of_that_check() -> None:
    def crash(_scene: Scene) -> Iterator[Finding]:
        yield ok("so far")
        raise RuntimeError("oh")

    def hang(_scene: Scene) -> Iterator[Finding]:
        released.wait(60)
        yield ok("late")

    import threading

    released = threading.Event()
    found = examination.findings(Check("broken", crash), scene())
    assert [each.status for each in found] == ["ok", "fail"]
    assert "RuntimeError('oh')" in found[1].message
    started = time.monotonic()
    (late,) = examination.findings(Check("hanging", hang), scene(), timeout_s=0.1)
    released.set()
    assert late.status == "fail"
    assert time.monotonic() - started < 50


def test_a_folder_that_tells_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import watchfiles

    def nothing(*_: Any, **__: Any) -> Iterator[set[Any]]:
        yield set()

    monkeypatch.setattr(watchfiles, "watch", nothing)
    monkeypatch.setattr(files, "WATCH_TIMEOUT_S", 0.2)
    assert files.watch_once(tmp_path, poll=False) is None
    assert list(tmp_path.iterdir()) == []


def test_nobody_answers(run: Any, clean: Path) -> None:
    target = ("--url", "http://127.0.0.1:9", "--admin-key", KEY)
    result = run("doctor", "--json", *target, expect=1)
    found = by_check(result.json())
    assert "connection refused" in found["reachable"]["message"]
    assert found["key"] == {**found["key"], "status": "skip", "message": "the deployment does not respond"}
    assert KEY not in result.stdout + result.stderr


def test_a_name_that_nobody_knows(run: Any, clean: Path) -> None:
    found = by_check(
        run("doctor", "--json", "--url", "http://a.invalid", "--admin-key", KEY, expect=1).json()
    )
    assert "the name is not known" in found["reachable"]["message"]


@pytest.mark.slow
def test_a_server_that_accepts_and_says_nothing(run: Any, clean: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        found = by_check(run("doctor", "--json", "--url", url, "--admin-key", KEY, expect=1).json())
    assert time.monotonic() - started < 60
    assert found["reachable"]["status"] == "ok"
    assert "no answer in time" in found["round-trip"]["message"]
    assert found["versions"]["status"] == "skip"


@pytest.mark.slow
def test_a_deployment_that_answers(run: Any, clean: Path, tmp_path: Path) -> None:
    (clean / "convexpy.toml").write_text('[env]\nrequired = ["NEEDED"]\n')
    server = ServerProcess(tmp_path / "data")
    try:
        target = ("--url", server.url, "--admin-key", server.admin_key)
        found = by_check(run("doctor", "--json", "--network", *target, expect=1).json())
        names = ("reachable", "round-trip", "websocket", "versions", "key", "clock", "indexes", "throughput")
        assert {name: found[name]["status"] for name in names} == dict.fromkeys(names, "ok")
        assert found["required-env"]["message"].endswith("NEEDED")
        run("env", "set", "NEEDED", "x", *target)
        run("doctor", *target)
        wrong = by_check(run("doctor", "--json", "--url", server.url, "--admin-key", KEY, expect=1).json())
        assert wrong["key"]["status"] == "fail"
        assert wrong["round-trip"]["status"] == "ok"
    finally:
        server.close()


@pytest.mark.slow
def test_the_data_folder_of_a_stopped_server_is_checked_and_salvaged(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    assert "--data DIR" in run("doctor", "--deep", expect=2).stderr
    assert "no such folder" in run("doctor", "--deep", "--data", str(data), expect=3).stderr
    server = ServerProcess(data)
    try:
        assert "another server" in run("doctor", "--deep", "--data", str(data), expect=10).stderr
        server.stop()
    finally:
        server.close()
    found = run("doctor", "--deep", "--data", str(data), "--json").json()
    assert [(each["check"], each["status"]) for each in found] == [("data", "ok")]
    with contextlib.closing(sqlite3.connect(data / "log.db")) as connection, connection:
        connection.execute("DELETE FROM log")
    found = run("doctor", "--deep", "--data", str(data), "--json", expect=1).json()
    assert "do not fit" in found[0]["message"]
    assert "--salvage" in found[-1]["fix"]
    assert "--yes" in run("doctor", "--salvage", "--data", str(data), expect=9).stderr
    found = run("doctor", "--salvage", "--deep", "--data", str(data), "--yes", "--json").json()
    assert [each["status"] for each in found] == ["warn", "ok"]
    assert "log.db.damaged-" in found[0]["fix"]
