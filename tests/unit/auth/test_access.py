"""What keys open: system functions by a list, each called as what it is; nothing that is not listed."""

from __future__ import annotations

from typing import get_args

import pytest

from convexpy.auth import APP_ACCESS, FULL_ACCESS, SERVER_ACCESS, SYSTEM_FUNCTIONS, Access, KeyKind
from convexpy.engine.registry import FunctionRegistry
from convexpy.sandbox import system

FUNCTIONS = sorted(path for path in system.FUNCTIONS if path.startswith("_system/"))
KINDS = ("query", "mutation", "action")
OPENED: dict[str, set[str]] = {
    "admin": {"env:view", "data:view", "data:write", "functions:view", "code:run"},
    "deploy": {"functions:view"},
    "read-only": {"data:view", "functions:view"},
    "run": set(),
}


def runs(access: Access, kind: str, path: str) -> bool:
    return FunctionRegistry().refusal(kind, path, access) is None


def test_the_list_names_functions_that_exist() -> None:
    assert set(SYSTEM_FUNCTIONS) <= set(FUNCTIONS)
    assert set(OPENED) == set(get_args(KeyKind))


@pytest.mark.parametrize("path", FUNCTIONS)
@pytest.mark.parametrize("key", sorted(OPENED))
@pytest.mark.parametrize("suffix", ["", ":default"])
def test_a_key_runs_what_is_listed_for_it_as_what_it_is(path: str, key: KeyKind, suffix: str) -> None:
    listed = SYSTEM_FUNCTIONS.get(path)
    access = Access(key, ("*",) if key == "run" else ())
    for kind in KINDS:
        allowed = listed is not None and listed.kind == kind and listed.operation in OPENED[key]
        assert runs(access, kind, path + suffix) is allowed, kind


@pytest.mark.parametrize("path", [*FUNCTIONS, "_system/no/such"])
def test_app_code_runs_no_system_function_and_the_server_all(path: str) -> None:
    for kind in KINDS:
        assert not runs(APP_ACCESS, kind, path)
        assert runs(SERVER_ACCESS, kind, path)


def test_what_writes_is_a_mutation() -> None:
    writes = {path for path, system in SYSTEM_FUNCTIONS.items() if system.operation == "data:write"}
    assert {SYSTEM_FUNCTIONS[path].kind for path in writes} == {"mutation"}
    refused = FunctionRegistry().refusal("mutation", "_system/keys:create", FULL_ACCESS)
    assert refused is not None
    assert refused.failure is not None
    assert refused.failure.code == "FunctionNotFound"
