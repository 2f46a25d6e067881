"""A schema that stored documents would fit: what `convexpy schema infer` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

LITERALS_MAX = 6
LITERAL_LENGTH_MAX = 30
REPEATED = 4
"""A text that can be one of few is taken for a choice if it comes so often on average."""


class Shape:
    """What values at one place have been: kinds with how often, and what is inside of them."""

    def __init__(self) -> None:
        self.count = 0
        self.kinds: dict[str, int] = {}
        self.fields: dict[str, Shape] = {}
        self.items: Shape | None = None
        self.tables: set[str] = set()
        self.texts: dict[str, int] | None = {}

    def add(self, value: Any, table_of: Callable[[str], str | None]) -> None:
        """Take one more value, in Convex's JSON encoding."""
        self.count += 1
        kind = _kind(value)
        if kind == "string" and (table := table_of(value)) is not None:
            kind = "id"
            self.tables.add(table)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "object":
            for name, inner in value.items():
                self.fields.setdefault(name, Shape()).add(inner, table_of)
        elif kind == "array":
            self.items = self.items or Shape()
            for inner in value:
                self.items.add(inner, table_of)
        elif kind == "string" and self.texts is not None:
            self.texts[value] = self.texts.get(value, 0) + 1
            if len(self.texts) > LITERALS_MAX or len(value) > LITERAL_LENGTH_MAX:
                self.texts = None

    def validator(self) -> dict[str, Any]:
        """Return the validator that all of the values fit."""
        members = [each for kind in sorted(self.kinds) for each in self._members(kind)]
        if not members:
            return {"type": "any"}
        return members[0] if len(members) == 1 else {"type": "union", "value": members}

    def _members(self, kind: str) -> Iterable[dict[str, Any]]:
        if kind == "object":
            objects = self.kinds["object"]
            fields = {
                name: {"fieldType": inner.validator(), "optional": inner.count < objects}
                for name, inner in self.fields.items()
            }
            yield {"type": "object", "value": fields}
        elif kind == "array":
            inner = self.items.validator() if self.items is not None else {"type": "any"}
            yield {"type": "array", "value": inner}
        elif kind == "id":
            for table in sorted(self.tables):
                yield {"type": "id", "tableName": table}
        elif kind == "string" and self._is_choice():
            for text in sorted(self.texts or {}):
                yield {"type": "literal", "value": text}
        else:
            yield {"type": kind}

    def _is_choice(self) -> bool:
        texts = self.texts
        return bool(texts) and self.kinds["string"] >= REPEATED * len(texts or {}) and len(texts or {}) > 1


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    special = next(iter(value), "") if len(value) == 1 else ""
    return {"$integer": "bigint", "$bytes": "bytes", "$float": "number"}.get(special, "object")


def inferred(documents: Iterable[Mapping[str, Any]], table_of: Callable[[str], str | None]) -> dict[str, Any]:
    """Return the validator that these documents fit, without the system fields."""
    shape = Shape()
    for document in documents:
        own = {name: value for name, value in document.items() if name not in ("_id", "_creationTime")}
        shape.add(own, table_of)
    return shape.validator() if shape.count else {"type": "object", "value": {}}
