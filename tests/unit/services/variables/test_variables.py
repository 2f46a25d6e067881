"""Variables: encrypted where they are stored, bound to name and deployment, refused where they make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.access import KEY_VARIABLE, Sealer, SecretKeyError
from convexpy.errors import Error
from convexpy.protocol.system.variables import VariableChange
from convexpy.services.variables.service import (
    Variables,
    check_variable,
    key_file,
    load_secret_key,
)

KEY = bytes(range(32))


def sealed(variables: Variables, **values: str) -> dict[str, str]:
    changes = variables.sealed(VariableChange(name, value) for name, value in values.items())
    return {change.name: str(change.value) for change in changes}


def test_stored_values_do_not_show_what_they_hold_and_can_be_read_again() -> None:
    variables = Variables(Sealer(KEY, "d1"), {})
    stored = sealed(variables, TOKEN="hunter2", OTHER="hunter2")
    assert "hunter2" not in "".join(stored.values())
    assert stored["TOKEN"] != stored["OTHER"]
    assert Variables(Sealer(KEY, "d1"), stored).values == {"TOKEN": "hunter2", "OTHER": "hunter2"}


@pytest.mark.parametrize("change", ["name", "deployment", "bytes", "key"])
def test_a_value_is_bound_to_its_name_its_deployment_and_its_key(change: str) -> None:
    stored = sealed(Variables(Sealer(KEY, "d1"), {}), TOKEN="x")["TOKEN"]
    name = "ADMIN" if change == "name" else "TOKEN"
    if change == "bytes":
        stored = stored[:-6] + ("A" if stored[-6] != "A" else "B") + stored[-5:]
    key, deployment = bytes(32) if change == "key" else KEY, "d2" if change == "deployment" else "d1"
    with pytest.raises(SecretKeyError):
        Variables(Sealer(key, deployment), {name: stored})


def test_values_from_before_encryption_are_read_and_encrypted_again() -> None:
    variables = Variables(Sealer(KEY, "d1"), {"OLD": "plain"})
    assert (variables.values, variables.has_plain) == ({"OLD": "plain"}, True)
    call = variables.sealed_again()
    assert call.again
    assert str(call.changes[0].value).startswith("aes-gcm:1:")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("1A", "x", "EnvironmentVariableNameInvalid"),
        ("A-B", "x", "EnvironmentVariableNameInvalid"),
        ("A" * 257, "x", "EnvironmentVariableNameTooLong"),
        ("CONVEX_SITE_URL", "x", "EnvironmentVariableBuiltIn"),
        ("A", "x" * 8193, "EnvironmentVariableValueTooLarge"),
    ],
)
def test_names_and_values_have_bounds(name: str, value: str, code: str) -> None:
    with pytest.raises(Error) as refused:
        check_variable(name, value)
    assert refused.value.code == code


def test_the_key_is_made_once_beside_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    folder = tmp_path / "data"
    assert load_secret_key(folder, create=False) is None
    key = load_secret_key(folder, create=True)
    assert key == load_secret_key(folder, create=False)
    assert key_file(folder).stat().st_mode & 0o077 == 0
    key_file(folder).write_text("short")
    with pytest.raises(SecretKeyError, match="cut short or overwritten"):
        load_secret_key(folder, create=True)
    monkeypatch.setenv(KEY_VARIABLE, "x" * 31)
    with pytest.raises(SecretKeyError, match="shorter than 32"):
        load_secret_key(folder, create=True)
