"""What keys open: system functions by a list, each called as what it is; nothing that is not listed."""

from __future__ import annotations

from typing import get_args

import pytest

from convexpy.access import APP_ACCESS, FULL_ACCESS, SERVER_ACCESS, Access, KeyKind
from convexpy.engine.registry import FunctionRegistry
from convexpy.protocol.system import SYSTEM_CALLS

FUNCTIONS = sorted(SYSTEM_CALLS)
KINDS = ("query", "mutation", "action")
OPENED: dict[str, set[str]] = {
    "admin": {"env:view", "data:view", "data:write", "functions:view", "code:run"},
    "deploy": {"functions:view"},
    "preview": set(),
    "read-only": {"data:view", "functions:view"},
    "run": set(),
}


def runs(access: Access, kind: str, path: str) -> bool:
    return FunctionRegistry().refusal(kind, path, access) is None


def test_every_kind_of_key_is_looked_at() -> None:
    assert set(OPENED) == set(get_args(KeyKind))


@pytest.mark.parametrize("path", FUNCTIONS)
@pytest.mark.parametrize("key", sorted(OPENED))
@pytest.mark.parametrize("suffix", ["", ":default"])
def test_a_key_runs_what_is_listed_for_it_as_what_it_is(path: str, key: KeyKind, suffix: str) -> None:
    call = SYSTEM_CALLS[path]
    access = Access(key, ("*",) if key == "run" else ())
    for kind in KINDS:
        allowed = call.kind == kind and call.operation in OPENED[key]
        assert runs(access, kind, path + suffix) is allowed, kind


@pytest.mark.parametrize("path", [*FUNCTIONS, "_system/no/such"])
def test_app_code_runs_no_system_function_and_the_server_all(path: str) -> None:
    for kind in KINDS:
        assert not runs(APP_ACCESS, kind, path)
        assert runs(SERVER_ACCESS, kind, path)


def test_what_writes_is_a_mutation() -> None:
    assert {call.kind for call in SYSTEM_CALLS.values() if call.operation == "data:write"} == {"mutation"}
    refused = FunctionRegistry().refusal("mutation", "_system/keys:create", FULL_ACCESS)
    assert refused is not None
    assert refused.failure is not None
    assert refused.failure.code == "FunctionNotFound"
