"""Edits of TOML files: what was meant happens, and every other byte stays."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import ProjectError
from convexpy.project import Profiles, forget_key, store_key, stored_entries, stored_key
from convexpy.project._toml_edit import add_table, checked_edit, remove_table, rename_table, set_value

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
values = st.one_of(
    st.booleans(), st.integers(0, 9999), st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
)
TEXT = """# top
[a]
x = 1 # one

  # about b
[ "b.c" . d ] # header
y = 'two'
[[list]]
z = 3
"""


@pytest.mark.slow
@given(
    st.sampled_from(["", "a = 1", "a = 1\n", TEXT]),
    st.lists(names, min_size=1, max_size=3),
    st.dictionaries(names.filter(str.isalpha).filter(str.isascii), values, max_size=3),
)
def test_a_section_that_is_added_can_be_removed_again(
    text: str, table: list[str], content: dict[str, Any]
) -> None:
    path = ("new", *table)
    added = add_table(text, path, content)
    assert added.startswith(text)
    found: Any = tomllib.loads(added)
    for part in path:
        found = found[part]
    assert found == content
    assert tomllib.loads(remove_table(added, path)) == tomllib.loads(text)


def test_sections_are_found_however_they_are_written() -> None:
    assert remove_table(TEXT, ("b.c", "d")) == TEXT.replace("[ \"b.c\" . d ] # header\ny = 'two'\n", "")
    assert rename_table(TEXT, ("b.c", "d"), ("e", "f g")) == TEXT.replace('[ "b.c" . d ] #', '[e."f g"] #')
    assert set_value(TEXT, ("a",), "x", "new") == TEXT.replace("x = 1 #", 'x = "new" #')
    assert set_value(TEXT, ("a",), "absent", 1) == TEXT
    assert remove_table(TEXT, ("nowhere",)) == TEXT
    assert remove_table(TEXT, ("a",)) == TEXT.replace("[a]\nx = 1 # one\n", "")


def test_lines_end_as_they_did() -> None:
    text = TEXT.replace("\n", "\r\n")
    added = add_table(text, ("n",), {"k": 1})
    assert "\n" not in added.replace("\r\n", "")
    assert remove_table(added, ("n",)).startswith(text)


def test_an_edit_that_would_say_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "convexpy.toml"
    # An inline table cannot be extended by a section.
    text = 'deployments = { one = { url = "http://x" } }\n'
    file.write_text(text)
    with pytest.raises(ProjectError, match="cannot be edited"):
        Profiles(file).add("two", "http://y")
    # A header inside of a string is none.
    file.write_text('note = """\n[deployments.one]\nurl = 1\n"""\n[deployments.one]\nurl = "http://x"\n')
    with pytest.raises(ProjectError, match="cannot be edited"):
        Profiles(file).remove("one")
    assert "[deployments.one]\nurl = 1" in file.read_text()
    with pytest.raises(ProjectError):
        checked_edit(file, "", "not toml", {})


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    for number in range(3):
        store_key(
            f"https://host{number}.example.com/path",
            f"k|{number}",
            name=None,
            added_ms=number,
            folder=tmp_path,
        )
    file = tmp_path / "credentials.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store_key("https://host1.example.com", "k|new", name="one", added_ms=7, folder=tmp_path)
    assert stored_key("https://host1.example.com/x", tmp_path) == "k|new"
    assert stored_entries(tmp_path)["https://host1.example.com"] == {
        "key": "k|new",
        "name": "one",
        "added": 7,
    }
    assert forget_key("https://host1.example.com", tmp_path)
    assert not forget_key("https://host1.example.com", tmp_path)
    assert set(stored_entries(tmp_path)) == {"https://host0.example.com", "https://host2.example.com"}
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.toml"]
