"""`.env` files: edits keep every other byte, and whatever is written reads back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from convexpy.project import edit_env, parse_env, quote_value, update_env_file

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_values_survive_writing_and_reading(variables: dict[str, str]) -> None:
    text = "".join(f"{name}={quote_value(value)}\n" for name, value in variables.items())
    assert parse_env(text) == variables


@given(st.dictionaries(NAMES, VALUES, max_size=5), NAMES, VALUES)
def test_one_edit_changes_one_variable(variables: dict[str, str], name: str, value: str) -> None:
    text = "# mine\n" + "".join(f"{key}={quote_value(each)}  # why\n" for key, each in variables.items())
    assert parse_env(edit_env(text, {name: value})) == {**variables, name: value}


@pytest.mark.slow
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
def test_setting_what_is_there_changes_no_byte(variables: dict[str, str]) -> None:
    text = "".join(f"export {name} = {quote_value(value)} # c\r\n" for name, value in variables.items())
    assert edit_env(text, dict(variables)) == text


def test_an_edit_keeps_comments_order_and_line_ends() -> None:
    text = "# head\r\nA=1 # one\r\nB='two'\r\n\r\nC=3"
    assert edit_env(text, {"B": "x y", "D": "4"}) == "# head\r\nA=1 # one\r\nB='x y'\r\n\r\nC=3\r\nD=4\r\n"


def test_removing_takes_the_line_and_nothing_else() -> None:
    assert edit_env("A=1\nB=2\nC=3\n", {"B": None, "X": None}) == "A=1\nC=3\n"


def test_values_over_several_lines_are_one_value() -> None:
    text = 'KEY="-----BEGIN\nabc\n-----END"\nNEXT=1\n'
    assert parse_env(text) == {"KEY": "-----BEGIN\nabc\n-----END", "NEXT": "1"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=", ""),
        ("A=x#y", "x#y"),
        ("A=x #y", "x"),
        ("A='#'", "#"),
        ("export A=1", "1"),
        ('A="a\\nb\\"c"', 'a\nb"c'),
    ],
)
def test_forms_of_values(line: str, value: str) -> None:
    assert parse_env(line) == {"A": value}


def test_a_missing_file_is_made_and_an_equal_one_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / ".env.local"
    assert update_env_file(file, {"A": "1"})
    before = file.stat().st_mtime_ns
    assert not update_env_file(file, {"A": "1"})
    assert file.stat().st_mtime_ns == before
