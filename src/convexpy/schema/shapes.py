"""Validators in words, and what changed between two of them: `+ replyTo?: Id<messages>`.

Works on the JSON form of validators. Shapes are written as TypeScript writes types, which fits both kinds of front ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_PLAIN = {"bigint": "int64", "any": "any", "null": "null", "number": "number", "boolean": "boolean"}


def shape(validator: Mapping[str, Any] | None) -> str:
    """Return a validator as text: `{ body: string, tags?: string[] }`."""
    if validator is None:
        return "any"
    kind: str = validator["type"]
    if kind == "object":
        fields = ", ".join(f"{name}: {text}" for name, text in _fields(validator).items())
        return f"{{ {fields} }}" if fields else "{}"
    if kind == "id":
        return f"Id<{validator['tableName']}>"
    if kind == "literal":
        return _literal(validator["value"])
    if kind == "array":
        inner = shape(validator["value"])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "record":
        return f"Record<{shape(validator['keys'])}, {shape(_field_type(validator['values']))}>"
    if kind == "union":
        return " | ".join(shape(member) for member in validator["value"]) or "never"
    return _PLAIN.get(kind, kind)


def shape_lines(validator: Mapping[str, Any] | None) -> list[str]:
    """Return a validator with a line for each field, if it is an object."""
    if validator is None or validator["type"] != "object":
        return [shape(validator)]
    return [f"{name}: {text}" for name, text in _fields(validator).items()]


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return str(next(iter(value.values())))
    return json.dumps(value, ensure_ascii=False)


def _field_type(field: Mapping[str, Any]) -> Mapping[str, Any]:
    inner: Mapping[str, Any] = field.get("fieldType", field)
    return inner


def _fields(validator: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of an object: name, with `?` if it may be absent, and shape."""
    return {
        f"{name}{'?' if field.get('optional') else ''}": shape(field["fieldType"])
        for name, field in validator["value"].items()
    }


def shape_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what changed as `(field, text)`; the field is empty where the whole is meant."""
    if before is None or after is None or before["type"] != "object" or after["type"] != "object":
        text = _difference(before, after)
        return [("", text)] if text else []
    old, new = before["value"], after["value"]
    found: list[tuple[str, str]] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append((name, f"+ {_field(name, new[name])}"))
        elif name not in new:
            found.append((name, f"- {_field(name, old[name])}"))
        else:
            text = _difference(old[name]["fieldType"], new[name]["fieldType"])
            optional = bool(new[name].get("optional"))
            if optional != bool(old[name].get("optional")):
                text = "; ".join(filter(None, [text, "now optional" if optional else "now required"]))
            if text:
                found.append((name, text))
    return found


def _field(name: str, field: Mapping[str, Any]) -> str:
    return f"{name}{'?' if field.get('optional') else ''}: {shape(field['fieldType'])}"


def _difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    old, new = shape(before), shape(after)
    if old == new:
        return ""
    members, now = _members(before), _members(after)
    if len(members) > 1 or len(now) > 1:
        added = [text for text in now if text not in members]
        removed = [text for text in members if text not in now]
        if len(added) + len(removed) < len(members) + len(now):
            parts = [f"{', '.join(added)} added to union"] if added else []
            parts += [f"{', '.join(removed)} removed from union"] if removed else []
            return "; ".join(parts)
    return f"{old} → {new}"


def _members(validator: Mapping[str, Any] | None) -> list[str]:
    if validator is None:
        return ["any"]
    members = validator["value"] if validator["type"] == "union" else [validator]
    return [shape(member) for member in members]


def in_words(schedule: Mapping[str, Any]) -> str:
    """Return a cron schedule as short text."""
    kind = schedule.get("type", "")
    rest = " ".join(f"{name}={value}" for name, value in schedule.items() if name != "type")
    if kind == "interval" and "seconds" in schedule:
        return f"every {schedule['seconds']} s"
    if kind == "cron":
        return str(schedule.get("cronExpr", schedule.get("cron", rest)))
    return f"{kind} {rest}".strip()
