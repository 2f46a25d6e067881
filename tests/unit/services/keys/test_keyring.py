"""Admin keys over a deployment in memory: made, verified, rotated, revoked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convexpy.access import InvalidKey, ParsedKey
from convexpy.errors import RequestError
from convexpy.testing._local import LocalDeployment


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app") / "convex"
    folder.mkdir()
    (folder / "empty.py").write_text("")
    return folder


@pytest.fixture
def local(app: Path) -> Iterator[LocalDeployment]:
    deployment = LocalDeployment(app)
    yield deployment
    deployment.close()


def verified(local: LocalDeployment, key: str) -> ParsedKey:
    async def verify() -> ParsedKey:
        return local.deployment.keyring.verify(key)

    return local.wait(verify())


def test_a_key_is_verified_listed_without_its_secret_and_revoked(local: LocalDeployment) -> None:
    keyring, ended = local.deployment.keyring, list[str]()
    keyring.revoked.connect(ended.append)
    made = local.wait(keyring.create("ci", "deploy"))
    key = made.key
    record = verified(local, key).record
    assert record is not None
    assert (record.name, record.kind) == ("ci", "deploy")
    assert key.partition("|")[2] not in str(keyring.listed())
    assert made.prefix in str(keyring.listed())
    local.wait(keyring.revoke("ci"))
    assert ended == [record.key_id]
    with pytest.raises(InvalidKey):
        verified(local, key)


def test_a_name_is_taken_once(local: LocalDeployment) -> None:
    keyring = local.deployment.keyring
    local.wait(keyring.create("ci", "admin"))
    with pytest.raises(Exception, match="ci") as refused:
        local.wait(keyring.create("ci", "admin"))
    assert getattr(refused.value, "code", "") == "KeyNameTaken"


@pytest.mark.parametrize(
    ("name", "kind", "functions", "code"),
    [
        ("", "admin", (), "BadKeyName"),
        ("x" * 65, "admin", (), "BadKeyName"),
        ("a\nb", "admin", (), "BadKeyName"),
        ("k", "run", (), "BadKeyFunctions"),
        ("k", "admin", ("a:b",), "BadKeyFunctions"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    local: LocalDeployment, name: str, kind: str, functions: tuple[str, ...], code: str
) -> None:
    with pytest.raises(RequestError) as refused:
        local.wait(local.deployment.keyring.create(name, kind, functions))  # type: ignore[arg-type]
    assert refused.value.code == code
    assert local.deployment.keyring.listed() == []


def test_a_rotated_key_goes_on_for_its_grace_under_another_name(local: LocalDeployment) -> None:
    keyring = local.deployment.keyring
    old = local.wait(keyring.create("ci", "deploy")).key
    made = local.wait(keyring.rotate("ci", 60_000.0))
    new = made.key
    assert (made.name, made.old.name.startswith("ci-old-")) == ("ci", True)
    assert verified(local, new).record is not None
    assert verified(local, old).record is not None
    local.advance(61)
    with pytest.raises(InvalidKey):
        verified(local, old)


def test_an_expired_key_is_refused(local: LocalDeployment) -> None:
    keyring = local.deployment.keyring
    now_ms = local.clock.now_ns() / 1e6
    key = local.wait(keyring.create("short", "admin", (), now_ms + 1000)).key
    assert verified(local, key).record is not None
    local.advance(2)
    with pytest.raises(InvalidKey):
        verified(local, key)
    with pytest.raises(RequestError) as refused:
        local.wait(keyring.create("late", "admin", (), now_ms))
    assert refused.value.code == "BadKeyExpiry"
