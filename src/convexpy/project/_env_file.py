r"""`.env` files: reading, and edits that change one line and keep every other byte.

The syntax is what common tools agree on: `NAME=value`, optional `export`, `#` comments, single or double
quotes (double ones with `\n`, `\"` and `\\`), and quoted values over several lines. No substitution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from convexpy.errors.texts import decode_text, encoding_of, read_text

_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./|-]*\Z")


class _Entry:
    __slots__ = ("end", "name", "start", "value")

    def __init__(self, name: str, value: str, start: int, end: int) -> None:
        self.name = name
        self.value = value
        self.start = start
        self.end = end


def _entries(text: str) -> list[_Entry]:
    """Return every assignment with the offsets of its value (quotes included)."""
    found: list[_Entry] = []
    position = 0
    while position < len(text):
        match = _ASSIGNMENT.match(text, position)
        if match is None:
            position = _next_line(text, position)
            continue
        start = match.end()
        quoted = _DOUBLE.match(text, start) or _SINGLE.match(text, start)
        if quoted is None:
            end = text.find("\n", start)
            raw = text[start : len(text) if end < 0 else end]
            raw = re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].rstrip()
            found.append(_Entry(match["name"], raw, start, start + len(raw)))
        else:
            double = text[start] == '"'
            value = re.sub(r"\\(.)", _unescape, quoted[1], flags=re.DOTALL) if double else quoted[1]
            found.append(_Entry(match["name"], value, start, quoted.end()))
        position = _next_line(text, found[-1].end)
    return found


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])


def _next_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def parse_env(text: str) -> dict[str, str]:
    """Return the variables of an env file's text; of two with one name the last wins."""
    return {entry.name: entry.value for entry in _entries(text)}


def read_env_file(file: Path) -> dict[str, str]:
    """Return the variables of an env file; none if there is no such file.

    Raises:
        TextUnreadable: it is no text in its encoding; says line and encoding.
    """
    try:
        # Line ends stay: a PEM key with CRLF stays what it is.
        return parse_env(read_text(file))
    except FileNotFoundError:
        return {}


def quote_value(value: str) -> str:
    """Return `value` as it is written in an env file; `parse_env` gives it back exactly."""
    if _PLAIN.match(value):
        return value
    if "'" not in value and "\n" not in value and "\r" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def edit_env(text: str, changes: Mapping[str, str | None]) -> str:
    """Return `text` with these variables set (None removes the line); every other byte stays.

    A variable that is there keeps its line, its comment and its place; a new one is added at the end.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        last = next((entry for entry in reversed(_entries(text)) if entry.name == name), None)
        if last is None:
            if value is not None:
                gap = "" if not text or text.endswith("\n") else newline
                text += f"{gap}{name}={quote_value(value)}{newline}"
        elif value is None:
            start = text.rfind("\n", 0, last.start) + 1
            text = text[:start] + text[_next_line(text, last.end) :]
        elif value != last.value:
            text = text[: last.start] + quote_value(value) + text[last.end :]
    return text


def update_env_file(file: Path, changes: Mapping[str, str | None]) -> bool:
    """Edit an env file in place, in its encoding; returns whether anything changed. A missing file is made if needed.

    Raises:
        TextUnreadable: it is no text in its encoding; nothing is written.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        data = b""
    old = decode_text(data, str(file))
    new = edit_env(old, changes)
    if new == old:
        return False
    file.write_bytes(encoding_of(data).encode(new))
    return True
