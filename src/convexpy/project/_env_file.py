"""`.env` files: read by python-dotenv without substitution, and edited so that all other lines stay as they are."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

from convexpy.errors.texts import decode_text, encoding_of, read_text

_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./|-]*\Z")


def _lines(text: str) -> list[tuple[str | None, str | None, str]]:
    """Return name, value and text of every entry, with the empty lines before it; together they are the whole text."""
    from dotenv.parser import parse_stream

    # Line ends stay: a PEM key with CRLF stays what it is.
    return [
        (each.key, each.value, each.original.string) for each in parse_stream(io.StringIO(text, newline=""))
    ]


def parse_env(text: str) -> dict[str, str]:
    """Return the variables of an env file's text; of two with one name the last wins."""
    return {name: value for name, value, _ in _lines(text) if name is not None and value is not None}


def read_env_file(file: Path) -> dict[str, str]:
    """Return the variables of an env file; none if there is no such file.

    Raises:
        TextUnreadable: it is no text in its encoding; says line and encoding.
    """
    try:
        return parse_env(read_text(file))
    except FileNotFoundError:
        return {}


def quote_value(value: str) -> str:
    """Return `value` as it is written in an env file; `parse_env` gives it back exactly, as do other tools."""
    if _PLAIN.match(value):
        return value
    if not re.search(r"['\\\n\r]", value):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def edit_env(text: str, changes: Mapping[str, str | None]) -> str:
    """Return `text` with these variables set (None removes the line); all other lines stay.

    A variable that is there keeps its place; a new one is added at the end.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        lines = _lines(text)
        at = next((at for at in reversed(range(len(lines))) if lines[at][0] == name), None)
        if at is None:
            if value is not None:
                gap = "" if not text or text.endswith("\n") else newline
                text += f"{gap}{name}={quote_value(value)}{newline}"
        elif value != lines[at][1]:
            found = re.match(r"(\s*\n)?([ \t]*export[ \t]+)?", lines[at][2])
            before, export = (found[1] or "", found[2] or "") if found else ("", "")
            end = re.search(r"(\r?\n)?\Z", lines[at][2])
            new = "" if value is None else f"{export}{name}={quote_value(value)}{end[0] if end else ''}"
            text = "".join(
                [each for _, _, each in lines[:at]] + [before, new] + [each for _, _, each in lines[at + 1 :]]
            )
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
