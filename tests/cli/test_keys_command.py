"""`convexpy keys rotate`, and the official words for making and ending keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A deployment of this module."""
    started = ServerProcess(tmp_path_factory.mktemp("keys-command") / "data")
    yield started
    started.close()


def using(server: ServerProcess, key: str | None = None) -> tuple[str, ...]:
    return ("--url", server.url, "--admin-key", key or server.admin_key)


def test_a_new_key_alone_on_stdout_in_place_of_the_old(run: Any, server: ServerProcess) -> None:
    old = run("keys", "create", "ci", "--kind", "admin", *using(server)).stdout.strip()
    rotated = run("keys", "rotate", "ci", *using(server, old))
    new = rotated.stdout.strip()
    assert new.count("|") == 1 and "\n" not in new  # noqa: PT018
    assert new not in rotated.stderr
    assert "this was the key in use; replace it in flag --admin-key" in rotated.stderr
    assert old not in rotated.stderr
    for key in (old, new):
        run("keys", "list", *using(server, key))
    assert run("keys", "rotate", "ci", "--grace", "0", *using(server, new), expect=9).stdout == ""
    run("keys", "rotate", "ci", "--grace", "0", "--allow=key-revoke", *using(server, new))
    run("keys", "list", *using(server, new), expect=5)


def test_a_rotated_key_goes_into_a_file(run: Any, server: ServerProcess, tmp_path: Path) -> None:
    run("keys", "create", "filed", *using(server))
    file = tmp_path / ".env.production"
    made = run("keys", "rotate", "filed", "--save-env", str(file), "--json", *using(server)).json()
    assert made["key"] is None
    assert made["old"]["name"].startswith("filed-old-")
    assert file.read_text().startswith("CONVEXPY_DEPLOY_KEY=")


def test_signing_keys_rotate_and_old_ones_stay_until_they_are_revoked(
    run: Any, server: ServerProcess
) -> None:
    first = run("keys", "rotate-signing", "--json", *using(server)).json()
    second = run("keys", "rotate-signing", "--json", *using(server)).json()
    assert [key["keyId"] for key in second][1:] == [key["keyId"] for key in first]
    assert [key["retiredAt"] is None for key in second] == [True, *[False] * len(first)]
    alone = run("keys", "rotate-signing", "--revoke", "--json", *using(server)).json()
    assert len(alone) == 1
    assert alone[0]["keyId"] not in {key["keyId"] for key in second}
    assert alone[0]["keyId"] in run("keys", "rotate-signing", *using(server)).stdout


def test_words_of_the_official_command_line(run: Any, server: ServerProcess) -> None:
    key = run("deployment", "token", "create", "token", *using(server)).stdout.strip()
    assert "|" in key
    assert run("deployment", "token", "delete", "token", "--json", *using(server)).json()["name"] == "token"
    assert run("deployment", "token", "create", "--help").stdout == run("keys", "create", "--help").stdout


def test_bad_words(run: Any, server: ServerProcess) -> None:
    assert run("keys", "rotate", "x", "--grace", "soon", "--json", expect=2).error()["code"] == "UsageError"
    assert run("keys", "rotate", "x", "--json", *using(server), expect=2).error()["code"] == "KeyNotFound"
    first = run("keys", "list", "--json", *using(server)).json()[0]["prefix"]
    assert run("keys", "rotate", first, "--json", *using(server), expect=2).error()["code"] == "FirstKey"
