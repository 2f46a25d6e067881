"""The gate before every question: nobody is waited for who is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from convexpy_cli.errors import Failure
from convexpy_cli.output.prompts import Prompts
from convexpy_cli.output.settings import Settings


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not `sys` itself: pytest replaces its streams between a fixture and the test.
    monkeypatch.setattr(
        "convexpy_cli.output.prompts.sys", SimpleNamespace(stdin=Terminal(), stderr=Terminal())
    )


def test_a_person_at_two_terminals_may_be_asked(terminal: None) -> None:
    assert Prompts(Settings()).allowed()


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        (Settings(no_input=True), {}),
        (Settings(format="json"), {}),
        (Settings(format="jsonl"), {}),
        (Settings(), {"CI": "true"}),
        (Settings(), {"CONVEXPY_NO_INPUT": "1"}),
        (Settings(), {"CLAUDECODE": "1"}),
    ],
)
def test_nobody_is_asked(
    terminal: None, settings: Settings, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not Prompts(settings).allowed()


def test_a_missing_stdin_is_no_terminal(terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexpy_cli.output.prompts.sys", SimpleNamespace(stdin=None, stderr=Terminal()))
    assert not Prompts(Settings()).allowed()


def test_without_a_terminal_the_answer_is_the_default_or_exit_4() -> None:
    prompts = Prompts(Settings())
    assert prompts.text("Name", answered_by="--name", default="x") == "x"
    assert prompts.choose("Which", [("a", "A")], answered_by="--which", default="a") == "a"
    assert prompts.confirm("Sure?", default=False) is False
    assert Prompts(Settings(yes=True)).confirm("Sure?", default=False) is True
    asking: list[Any] = [
        lambda: prompts.text("Key", answered_by="--key -"),
        lambda: prompts.secret("Key", answered_by="--key -"),
    ]
    for ask in asking:
        with pytest.raises(Failure) as caught:
            ask()
        assert (caught.value.exit_code, caught.value.hint) == (4, "--key -")
