"""`convexpy deploy --preview` against a real server that hosts previews."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.ports import free_ports
from support.processes import ServerProcess

from convexpy_cli.deploy.preview import preview_name

pytestmark = pytest.mark.slow

BARE = ("deploy", "--typecheck", "disable", "--codegen", "disable")


@pytest.fixture
def host(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server that hosts previews, as the target of this test's commands; the project is live on it."""
    server = ServerProcess(tmp_path / "data", "--redact-errors", "--previews", free_ports(3))
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    server.push_ok({path.name: path.read_text() for path in (project / "convex").glob("*.py")})
    server.call("mutation", "notes:add", text="real")
    yield server
    server.close()


def test_a_branch_is_tried_on_a_copy_of_the_data(
    host: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.request(
        "POST",
        "/api/update_environment_variables",
        {"changes": [{"name": "PLAN", "value": "pro"}]},
        admin=True,
    )
    path = project / "convex" / "notes.py"
    path.write_text(path.read_text().replace("[note", "['branch'] + [note"))
    monkeypatch.setenv("VERCEL_ENV", "preview")  # such a build may go to a preview only
    monkeypatch.delenv("CI", raising=False)
    result = run(*BARE, "--preview", "Feature/New_List", "--preview-data", "--preview-env", expect=0)
    assert "the preview is called feature-new-list" in result.stderr
    assert "copied 1 variable from" in result.stderr
    assert "copied 1 document from" in result.stderr
    url = result.stdout.strip()
    assert url != host.url
    assert "now serves version 1" in result.stderr.splitlines()[-1]
    name = ("-d", "preview/feature-new-list")
    assert json.loads(run("run", "notes:list", *name).stdout) == ["branch", "real"]
    assert run("env", "get", "PLAN", *name).stdout.strip() == "pro"
    assert host.call("query", "notes:list") == ["real"]
    listed = run("deployment", "previews", "--json").json()
    assert [(each["name"], each["url"], each["state"]) for each in listed] == [
        ("feature-new-list", url, "running")
    ]
    run("run", "notes:add", '{"text": "try"}', *name, expect=0)
    again = run(*BARE, "--preview", "feature-new-list", "--preview-data", "--json", expect=0)
    assert "--preview-create makes it again" in again.stderr
    assert again.json()["target"] == {"name": "preview/feature-new-list", "url": url, "production": False}
    assert json.loads(run("run", "notes:list", *name).stdout) == ["branch", "real", "try"]
    refused = run("deployment", "delete", name[1], "--json", expect=9).error()
    assert refused["code"] == "ConsentRequired"
    run("deployment", "delete", name[1], "--allow=data-delete", expect=0)
    assert run("deployment", "previews", "--json").json() == []
    gone = run("run", "notes:list", *name, "--json", expect=3).error()
    assert gone["hint"] == "convexpy deploy --preview feature-new-list"


def test_a_function_fills_a_fresh_one_and_its_data_must_fit(
    host: ServerProcess, run: Any, project: Path
) -> None:
    (project / "convex" / "seed.py").write_text(
        "from convexpy import internal_mutation\n@internal_mutation\ndef init(ctx):\n"
        "    ctx.db.insert('notes', {'text': 'seeded'})\n"
    )
    run(*BARE, "--preview-create", "pr-7", "--preview-run", "seed:init", "--preview-expires", "12h", expect=0)
    assert json.loads(run("run", "notes:list", "-d", "preview/pr-7").stdout) == ["seeded"]
    expires = run("deployment", "previews", "--json").json()[0]
    assert 11.9 * 3_600_000 < expires["expiresAt"] - expires["deployedAt"] < 12.1 * 3_600_000
    run(*BARE, "--preview-create", "pr-7", "--preview-run", "seed:init", expect=0)
    assert json.loads(run("run", "notes:list", "-d", "preview/pr-7").stdout) == ["seeded"]
    schema = project / "convex" / "schema.py"
    schema.write_text(schema.read_text().replace("v.string()", "v.number()"))
    error = run(*BARE, "--preview", "pr-8", "--preview-data", "--json", expect=8).error()
    assert error["code"] == "SchemaMismatch"


def test_a_preview_key_makes_previews_and_reads_nothing(
    host: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = run("keys", "create", "ci", "--kind", "preview", "-q", expect=0).stdout.strip()
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", key)
    assert run(*BARE, "--preview", "pr-9", expect=0).stdout.startswith("http")
    error = run(*BARE, "--json", expect=5).error()
    assert error["code"] == "KeyKindForbidden"
    error = run(*BARE, "--preview", "pr-10", "--preview-data", "--json", expect=5).error()
    assert error["code"] == "KeyKindForbidden"
    listed = run("deployment", "previews", "--json").json()
    assert [each["name"] for each in listed] == ["pr-9"], "what could not be filled is removed"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--preview-data"], "--preview-data without --preview"),
        (["--preview", "a", "--dry-run"], "--dry-run cannot be combined with --preview"),
        (["--preview", "a", "--rollback"], "--rollback cannot be combined with --preview"),
        (["--preview", "a", "--preview-create", "b"], "cannot be combined"),
        (["--preview", "///"], "no letter and no digit"),
    ],
)
def test_what_makes_no_sense_is_refused(
    host: ServerProcess, run: Any, arguments: list[str], text: str
) -> None:
    assert text in run("deploy", *arguments, "--json", expect=2).error()["message"]


def test_a_server_that_hosts_none_is_exit_12(
    tmp_path: Path, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ServerProcess(tmp_path / "plain")
    try:
        monkeypatch.setenv("CONVEXPY_URL", server.url)
        monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
        error = run(*BARE, "--preview", "a", "--json", expect=12).error()
    finally:
        server.close()
    assert error["code"] == "PreviewsUnsupported"
    assert "--previews" in error["hint"]


def test_names_of_branches_become_names_of_previews() -> None:
    assert preview_name("renovate/npm-vite_7.x") == "renovate-npm-vite-7-x"
    long = preview_name("feature/" + "x" * 80)
    assert len(long) <= 40
    assert long != preview_name("feature/" + "x" * 81)
