"""`.env` files: read by python-dotenv without substitution, and edited so that all other lines stay as they are."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

from convexpy.errors.texts import TextUnreadable, decode_text, encoding_of, read_text

_ENTRY = re.compile(
    r"""(?P<blank>\s*\n)?(?P<name>[^=]*=[ \t]*)
    (?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\r\n]*?)
    (?P<rest>(?:[ \t]+\#[^\r\n]*|[ \t]*)(?:\r?\n)?)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./|-]*\Z")
# A package of the front end → the prefix that its build lets through to the browser.
_PREFIXES = (
    ("next", "NEXT_PUBLIC_"),
    ("@tanstack/react-start", "VITE_"),
    ("@sveltejs/kit", "PUBLIC_"),
    ("vite", "VITE_"),
    ("expo", "EXPO_PUBLIC_"),
    ("react-scripts", "REACT_APP_"),
)


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
        TextUnreadable: it is not text in its encoding; says line and encoding.
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

    A variable that is there keeps its place and its comment; a new one is added at the end.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        lines = _lines(text)
        at = next((at for at in reversed(range(len(lines))) if lines[at][0] == name), None)
        if at is None:
            if value is not None:
                gap = "" if not text or text.endswith("\n") else newline
                text += f"{gap}{name}={quote_value(value)}{newline}"
        elif value != lines[at][1] and (found := _ENTRY.fullmatch(lines[at][2])):
            if value is None:
                new = found["blank"] or ""
            else:
                new = f"{found['blank'] or ''}{found['name']}{quote_value(value)}{found['rest']}"
            parts = [each for _, _, each in lines]
            text = "".join([*parts[:at], new, *parts[at + 1 :]])
    return text


def update_env_file(file: Path, changes: Mapping[str, str | None]) -> bool:
    """Edit an env file in place, in its encoding; returns whether anything changed. A missing file is made if needed.

    Raises:
        TextUnreadable: it is not text in its encoding; nothing is written.
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


def client_variables(root: Path, file: Path, url: str, site_url: str) -> dict[str, str]:
    """Return the variables to write for these URLs: under the names that are there, else those of the framework."""
    present = read_env_file(file)
    prefixes = ["", *dict.fromkeys(prefix for _, prefix in _PREFIXES)]
    used = next((prefix for prefix in prefixes if f"{prefix}CONVEX_URL" in present), None)
    prefix = _framework_prefix(root) if used is None else used
    return {f"{prefix}CONVEX_URL": url, f"{prefix}CONVEX_SITE_URL": site_url}


def write_client_env(root: Path, file: Path, url: str, site_url: str, deployment: str) -> bool:
    """Write the chosen deployment and its URLs, touching nothing else; returns whether anything changed."""
    changes: dict[str, str | None] = dict(client_variables(root, file, url, site_url))
    if "CONVEXPY_DEPLOYMENT" not in read_env_file(file):
        changes = {"CONVEXPY_DEPLOYMENT": deployment, **changes}
    return update_env_file(file, changes)


def _framework_prefix(root: Path) -> str:
    try:
        package = json.loads(read_text(root / "package.json"))
        used = {**package.get("dependencies", {}), **package.get("devDependencies", {})}
    except (OSError, ValueError, AttributeError, TypeError, TextUnreadable):
        return ""
    return next((prefix for name, prefix in _PREFIXES if name in used), "")
