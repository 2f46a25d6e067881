"""Edits of TOML files that change single lines and keep every other byte: sections added, renamed, removed.

Files are read as lines, not rewritten. What came of it is parsed and compared with what was meant: an edit that does not
give exactly that is not made. tomlkit takes a comment in front of a section for the end of the section before: it removes
it with that one, and puts a new section between the two.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError, SourceLocation
from convexpy.errors.texts import read_text
from convexpy.runtime import PRIVATE_FOLDER, write_private

_BARE = re.compile(r"[A-Za-z0-9_-]+")

Table = tuple[str, ...]


def add_table(text: str, table: Table, values: Mapping[str, Any]) -> str:
    """Return `text` with a section at its end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [_header(table), *(f"{key} = {_value(value)}" for key, value in values.items())]
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + newline.join(lines) + newline


def remove_table(text: str, table: Table) -> str:
    """Return `text` without a section and what is below it; the comments before the next section stay."""
    lines = text.splitlines(keepends=True)
    start = _find(lines, table)
    if start is None:
        return text
    end = start + 1
    while end < len(lines) and _table_of(lines[end]) is None:
        end += 1
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    before, after = lines[:start], lines[end:]
    if before and not before[-1].strip() and (not after or not after[0].strip()):
        before.pop()
    return "".join(before + after)


def rename_table(text: str, table: Table, new: Table) -> str:
    """Return `text` with the header of a section changed."""
    lines = text.splitlines(keepends=True)
    start = _find(lines, table)
    if start is None:
        return text
    lines[start] = _with_header(lines[start], table, new)
    return "".join(lines)


def set_value(text: str, table: Table, key: str, value: Any) -> str:
    """Return `text` with the value of a key that is there changed; as it is if the key is not there."""
    lines = text.splitlines(keepends=True)
    start = _find(lines, table)
    if start is None:
        return text
    for number in range(start + 1, len(lines)):
        if _table_of(lines[number]) is not None:
            break
        found = re.match(rf"(\s*{re.escape(key)}\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s#]+)", lines[number])
        if found:
            lines[number] = found[1] + _value(value) + lines[number][found.end() :]
            break
    return "".join(lines)


def checked_edit(file: Path, old: str, new: str, meant: Mapping[str, Any]) -> str:
    """Return `new`, which must say exactly what is meant.

    Raises:
        ProjectError: `ConfigInvalid`: the file is written in a way that cannot be edited line by line.
    """
    try:
        found = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        found = None
    if found != meant:
        raise ProjectError(
            f"{file.name} cannot be edited without touching other lines",
            code="ConfigInvalid",
            location=SourceLocation(file.name),
            hint="edit it by hand",
        )
    return new


class TomlFile:
    """A TOML file that is edited by lines; one that is missing is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self) -> str:
        """Return what is in it."""
        try:
            return read_text(self.path, only_utf8=True)
        except FileNotFoundError:
            return ""

    def parsed(self) -> dict[str, Any]:
        """Return what it says.

        Raises:
            ProjectError: `ConfigInvalid`: it is not TOML.
        """
        try:
            return tomllib.loads(self.text())
        except tomllib.TOMLDecodeError as error:
            location = SourceLocation(str(self.path))
            message = f"{self.path} is not valid TOML: {error}"
            raise ProjectError(message, code="ConfigInvalid", location=location) from error

    def edit(self, change: Callable[[str], str], meant: Mapping[str, Any], *, private: bool = False) -> None:
        """Change its text in one step, so that nobody ever reads half of it; `meant` is what it has to say then.

        With `private` it is for its owner's eyes only.
        """
        old = self.text()
        new = checked_edit(self.path, old, change(old), meant)
        self.path.parent.mkdir(mode=PRIVATE_FOLDER if private else 0o777, parents=True, exist_ok=True)
        if private:
            write_private(self.path, new.encode())
            return
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        with temporary.open("w", encoding="utf-8", newline="") as target:
            target.write(new)
        if self.path.exists():
            temporary.chmod(self.path.stat().st_mode & 0o777)
        temporary.replace(self.path)


def _with_header(line: str, table: Table, new: Table) -> str:
    """Return a header line with another name; its comment stays."""
    opening = line.index("[")
    for closing in (number for number, letter in enumerate(line) if letter == "]"):
        if _table_of(line[: closing + 1]) == table:
            return line[:opening] + _header(new) + line[closing + 1 :]
    return line


def _find(lines: list[str], table: Table) -> int | None:
    return next((number for number, line in enumerate(lines) if _table_of(line) == table), None)


def _table_of(line: str) -> Table | None:
    """Return the table that a line opens; an empty one for an element of a list of tables, None for other lines."""
    if not line.lstrip().startswith("["):
        return None
    try:
        inner: Any = tomllib.loads(line.strip())
    except tomllib.TOMLDecodeError:
        return None
    parts: list[str] = []
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        parts.append(name)
    return () if isinstance(inner, list) else tuple(parts)


def _header(table: Table) -> str:
    return "[" + ".".join(part if _BARE.fullmatch(part) else _value(part) for part in table) + "]"


def _value(value: Any) -> str:
    # A JSON string is a TOML string, but for the two characters that TOML does not escape like that.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
