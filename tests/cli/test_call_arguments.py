"""How the words of `convexpy run` become a path and typed arguments."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from convexpy.protocol.app_description import FunctionDescription
from convexpy_cli.errors import Failure
from convexpy_cli.functions.arguments import find_function, normal_path, parse


def fields(**validators: Any) -> dict[str, Any]:
    value = {
        name.removesuffix("_"): {"fieldType": validator, "optional": name.endswith("_")}
        for name, validator in validators.items()
    }
    return {"type": "object", "value": value}


STRING, NUMBER, BOOLEAN = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
NULL, ANY = {"type": "null"}, {"type": "any"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("messages:list", "messages:list"),
        ("messages.list", "messages:list"),
        ("api.messages.list", "messages:list"),
        ("internal.sessions.queries.get", "sessions/queries:get"),
        ("sessions/queries:get", "sessions/queries:get"),
        ("convex/messages.py:list", "messages:list"),
        ("./convex/messages.py:list", "messages:list"),
        ("messages.js:list", "messages:list"),
        ("messages", "messages:default"),
    ],
)
def test_forms_of_paths(text: str, path: str) -> None:
    assert normal_path(text) == path


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("messages:lst", "messages:list"),
        ("messages:sendAll", "messages:send_all"),
        ("x:list", "messages:list"),
    ],
)
def test_a_function_that_is_not_there_suggests_what_is(wrong: str, hint: str) -> None:
    functions = [
        FunctionDescription(path=path, kind="query", visibility="public")
        for path in ("messages:list", "messages:send_all")
    ]
    with pytest.raises(Failure) as caught:
        find_function(wrong, functions)
    assert caught.value.exit_code == 2
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("word", "validator", "value"),
    [
        ("a=5", NUMBER, 5),
        ("a=5.5", NUMBER, 5.5),
        ("a=5", STRING, "5"),
        ("a=true", BOOLEAN, True),
        ("a=true", STRING, "true"),
        ("a=null", {"type": "union", "value": [STRING, NULL]}, None),
        ("a=7", {"type": "union", "value": [STRING, NUMBER]}, 7),
        ("a=x", {"type": "union", "value": [STRING, NUMBER]}, "x"),
        ("a=[1]", {"type": "array", "value": NUMBER}, [1]),
        ("a=hi there", ANY, "hi there"),
        ("a={}", ANY, {}),
        ('a:={"b":1}', STRING, {"b": 1}),
        ("a=1=2", STRING, "1=2"),
        ("a=", STRING, ""),
        ("a=-1", {"type": "bigint"}, {"$integer": "//////////8="}),
        ("a=b", {"type": "literal", "value": "b"}, "b"),
    ],
)
def test_values_are_typed_by_the_validator(word: str, validator: dict[str, Any], value: Any) -> None:
    assert parse([word], fields(a=validator)) == {"a": value}


def test_a_word_of_several_names_them() -> None:
    words = {
        "type": "union",
        "value": [{"type": "literal", "value": each} for each in ("todo", "doing", "done")],
    }
    assert parse(["status=done"], fields(status=words)) == {"status": "done"}
    with pytest.raises(Failure) as raised:
        parse(["status=dne"], fields(status=words))
    assert raised.value.message == 'status: must be "todo", "doing" or "done"; got "dne"'


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(Failure) as caught:
        parse(["a=x", "extra=1"], fields(a=NUMBER, b=STRING, c_=STRING))
    assert caught.value.exit_code == 2
    assert [problem.partition(":")[0] for problem in caught.value.data["problems"]] == ["a", "extra", "b"]


def test_objects_files_and_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text('{"a": 1, "b": 2}')
    assert parse([f"@{tmp_path}/a.json", "b=3"], fields(a=NUMBER, b=NUMBER)) == {"a": 1, "b": 3}
    assert parse(['{"a": 1}'], None) == {"a": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": "ü"}'))
    assert parse(["-"], None) == {"a": "ü"}


@pytest.mark.parametrize("word", ["[1]", "{", "@/no/such/file", "a:=x"])
def test_what_is_no_object_is_a_usage_error(word: str) -> None:
    with pytest.raises(Failure) as caught:
        parse([word], None)
    assert caught.value.exit_code == 2
