"""`convexpy deploy --rollback` against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow

BARE = ("deploy", "--typecheck", "disable", "--codegen", "disable")


@pytest.fixture
def remote(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server of this test's own as the target of its commands."""
    server = ServerProcess(tmp_path / "data", "--redact-errors")
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    yield server
    server.close()


def deploy(run: Any, project: Path, text: str) -> int:
    """Deploy a version whose list begins with a text; return its number."""
    path = project / "convex" / "notes.py"
    lines = path.read_text().splitlines()
    lines = [
        f"    return ['{text}'] + [note" + line.partition("[note")[2] if "[note" in line else line
        for line in lines
    ]
    path.write_text("\n".join(lines) + "\n")
    version: int = run(*BARE, "--message", text, "--json", expect=0).json()["to"]["version"]
    return version


def test_one_command_undoes_a_deploy_without_the_files_of_the_project(
    remote: ServerProcess, run: Any, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = deploy(run, project, "good")
    bad = deploy(run, project, "bad")
    assert remote.call("query", "notes:list") == ["bad"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    dry = run("deploy", "--rollback", "--dry-run", expect=0)
    assert f"version {bad} → version {good}" in dry.stderr
    assert f"still serves version {bad}" in dry.stderr
    result = run("deploy", "--rollback", "--actor", "Ada", expect=0)
    assert result.stdout == f"{remote.url}\n"
    assert "rolled back: " in result.stderr.splitlines()[-1]
    assert remote.call("query", "notes:list") == ["good"]
    history = run("deployment", "history", "--json").json()
    assert history[0]["message"] == f"rollback to version {good}: good"
    assert (history[0]["rollbackOf"], history[0]["actor"]) == (good, "Ada")
    assert history[0]["contentHash"] == history[2]["contentHash"]
    # The version before one that was rolled back to is the one that it replaced.
    document = run("deploy", "--rollback", "--json", expect=0).json()
    assert (document["rollback"], document["applied"]) == (bad, True)
    assert remote.call("query", "notes:list") == ["bad"]
    listed = run("deployment", "history").stdout
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["live", "kept", "kept", "kept"]


def test_a_version_is_named_and_its_consents_are_asked_for(
    remote: ServerProcess, run: Any, project: Path
) -> None:
    first = deploy(run, project, "first")
    (project / "convex" / "more.py").write_text(
        "from convexpy import query\n@query\ndef get(ctx) -> int:\n    return 1\n"
    )
    deploy(run, project, "second")
    deploy(run, project, "third")
    remote.call("query", "more:get")
    refused = run("deploy", "--rollback", str(first), "--yes", "--json", expect=9).error()
    assert (refused["code"], refused["hint"]) == ("ConsentRequired", "--allow=function-removal:more:get")
    assert remote.call("query", "notes:list") == ["third"]
    run("deploy", "--rollback", str(first), "--allow=function-removal", expect=0)
    assert remote.call("query", "notes:list") == ["first"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--rollback"], "VersionNotKept", "keeps no version from before the one that serves"),
        (["--rollback", "99"], "VersionNotKept", "version 99 is not kept"),
        (["--rollback", "1"], "VersionNotKept", "version 1 is the one that serves"),
        (["1"], "UsageError", "a version, 1, without --rollback"),
        (["--rollback", "--cmd", "true"], "UsageError", "--cmd is about the files of this folder"),
    ],
)
def test_what_cannot_be_brought_back_is_said(
    remote: ServerProcess, run: Any, project: Path, arguments: list[str], code: str, text: str
) -> None:
    assert deploy(run, project, "only") == 1
    error = run("deploy", *arguments, "--json", expect=2).error()
    assert error["code"] == code
    assert text in error["message"]
    assert remote.call("query", "notes:list") == ["only"]
