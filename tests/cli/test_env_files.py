"""`convexpy env list`, `env pull` and `env diff`: what is told of variables, and what is not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A deployment of this module."""
    started = ServerProcess(tmp_path_factory.mktemp("env-files") / "data")
    yield started
    started.close()


@pytest.fixture
def here(run: Any, server: ServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a command against the server, which has two variables; the folder is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)
    changes = [{"name": name, "value": None} for name in ("A", "B", "C")]
    changes += [{"name": "A", "value": "secret-of-a"}, {"name": "B", "value": "two\nlines"}]
    server.request("POST", "/api/update_environment_variables", {"changes": changes}, admin=True)
    return run


def test_what_the_list_tells(here: Any, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {row["name"]: row for row in here("env", "list", "--json").json()}
    assert {name: (row["length"], len(row["fingerprint"])) for name, row in first.items()} == {
        "A": (11, 4),
        "B": (9, 4),
    }
    assert all(abs(row["updatedAt"] - time.time() * 1000) < 60_000 for row in first.values())
    assert "secret" not in here("env", "list").stdout + here("env", "list", "--json").stdout

    here("env", "set", "A", "another")
    changed = {row["name"]: row for row in here("env", "list", "--json").json()}
    assert changed["A"]["fingerprint"] != first["A"]["fingerprint"]
    assert changed["A"]["updatedAt"] > first["A"]["updatedAt"]
    assert changed["B"] == first["B"]
    here("env", "set", "A", "secret-of-a")

    # Another key, and the server anew: the same fingerprints, and the same times.
    key = here("keys", "create", "setter", "--kind", "deploy").stdout.strip()
    server.stop()
    server.start()
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", key)
    again = {row["name"]: row for row in here("env", "list", "--json").json()}
    assert again["A"]["fingerprint"] == first["A"]["fingerprint"]
    assert again["B"] == first["B"]
    assert here("env", "list", "--reveal", "--json", expect=5).error()["code"] == "KeyKindForbidden"
    assert here("env", "get", "A", "--json", expect=5).error()["code"] == "KeyKindForbidden"
    assert here("env", "set", "C=x", "--json").json()["added"] == ["C"]


def test_several_variables_are_set_at_once(here: Any) -> None:
    assert here("env", "set", "D=1", "E=2=3", "--json").json()["added"] == ["D", "E"]
    assert here("env", "get", "E").stdout == "2=3\n"
    for words in (("D=4", "e-f=5"), ("D=4", "F", "G=1")):
        here("env", "set", *words, expect=2)
    assert here("env", "get", "D").stdout == "1\n"
    here("env", "remove", "D", "E")


def test_a_pull_adds_what_is_absent(here: Any, tmp_path: Path) -> None:
    file = tmp_path / ".env.local"
    made = here("env", "pull", "--json")
    assert made.json() == {
        "path": ".env.local", "added": ["A", "B"], "changed": [], "unchanged": [], "removed": [], "kept": [],
    }  # fmt: skip
    assert file.read_text() == 'A=secret-of-a\nB="two\\nlines"\n'
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in made.stderr

    file.write_text("# mine\nA=own # stays\nOTHER=1\n")
    kept = here("env", "pull")
    assert "A has another value in .env.local and was left unchanged" in kept.stderr
    assert file.read_text() == '# mine\nA=own # stays\nOTHER=1\nB="two\\nlines"\n'
    assert here("env", "pull", "--replace-existing", "--json").json()["changed"] == ["A"]
    assert file.read_text().startswith("# mine\nA=secret-of-a # stays\n")
    assert here("env", "pull", "no/such/folder", "--json", expect=1).error()["code"] == "FileNotWritable"


def test_a_difference_is_told_by_name(here: Any, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "other.env"
    file.write_text("A=else\nC=1\nCONVEX_URL=http://x\n")
    result = here("env", "diff", "other.env", "--json", expect=1)
    assert result.json() == {"onlyHere": ["B"], "onlyThere": ["C"], "different": ["A"], "same": []}
    text = here("env", "diff", "./other.env", expect=1)
    assert "secret" not in text.stdout + text.stderr
    here("env", "pull", "same.env")
    assert here("env", "diff", "same.env", "--json").json()["same"] == ["A", "B"]
    assert here("env", "diff", "nowhere", "--json", expect=3).error()["code"] == "TargetUnknown"
    assert here("env", "diff", "./nowhere", "--json", expect=2).error()["code"] == "UsageError"

    (tmp_path / "user").mkdir(exist_ok=True)
    (tmp_path / "user" / "config.toml").write_text(f'[deployments.twin]\nurl = "{server.url}"\n')
    credentials = tmp_path / "user" / "credentials.toml"
    credentials.write_text(f"[{json.dumps(server.url)}]\nkey = {json.dumps(server.admin_key)}\n")
    credentials.chmod(0o600)
    assert here("env", "diff", "twin", "--json").json()["different"] == []


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg=\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("value", [PEM, "-p4ssword", "--token=abc", "-", "-q", "--", "-v=1"])
def test_a_value_that_begins_with_a_dash_is_a_value(here: Any, server: ServerProcess, value: str) -> None:
    words = ["--", "C", value] if value in ("--", "-q", "-v=1") else ["C", value]
    here("env", "set", *words, "--json") if words[0] != "--" else here("env", "set", "--json", *words)
    assert here("env", "get", "C").stdout == value + "\n"
    assert here("env", "set", "C", value, "--json").json()["unchanged"] == ["C"] if words[0] != "--" else True


@pytest.mark.parametrize(
    "words",
    [
        ("C", PEM, "hunter22"),
        ("C", "hunter22", "again"),
        ("C=hunter22", "again", "x"),
        ("--secret-hunter22", "C"),
        ("-hunter22",),
        ("hunter22-!",),
        ("C", "hunter22", "--from-file", "x", "y"),
        ("C", "hunter22", "--no-such-option", "z"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_error_shows_a_value(here: Any, words: tuple[str, ...], form: tuple[str, ...]) -> None:
    ended = here("env", "set", *words, *form, expect=2)
    assert ended.stdout == ""
    for secret in ("hunter22", "MIIEvQ", "BEGIN PRIVATE"):
        assert secret not in ended.stderr


def test_an_option_that_is_misspelt_is_not_taken_for_a_value(here: Any) -> None:
    ended = here("env", "set", "C", "--from-fil", "x", expect=2)
    assert "did you mean --from-file?" in ended.stderr
