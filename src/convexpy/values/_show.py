"""Values as error messages show them: JavaScript notation, cut where it gets long."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from convexpy.values._types import Int64

_SHOWN_MAX = 2_000
_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


def show(value: Any) -> str:
    """Return a canonical value as a message shows it; at most about 2,000 characters."""
    text = _text(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def show_name(name: str) -> str:
    """Return a field name as the key of an object is written."""
    return name if _identifier(name) else json.dumps(name)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Int64):
        return f"{value}n"
    if isinstance(value, int):
        return f"{value}.0"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value[:_SHOWN_MAX], ensure_ascii=False)
    if isinstance(value, bytes):
        return f"Bytes({value[:20].hex()}{'…' if len(value) > 20 else ''})"
    if isinstance(value, list):
        return f"[{_joined(value, _text)}]"
    return "{" + _joined(value.items(), lambda field: f"{show_name(field[0])}: {_text(field[1])}") + "}"


def _joined(items: Iterable[Any], text: Callable[[Any], str]) -> str:
    """Join the texts of the items, stopping early: the whole may be megabytes."""
    parts: list[str] = []
    length = 0
    for item in items:
        if length > _SHOWN_MAX:
            parts.append("…")
            break
        parts.append(text(item))
        length += len(parts[-1])
    return ", ".join(parts)
