"""From the description of a validator to its type in TypeScript: what official clients send and receive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from convexpy.project.codegen.typescript._layout import braces, key, quoted
from convexpy.schema.data_model import DataModel, Described
from convexpy.values import Int64, from_json, pagination_opts

_SCALARS = {
    "string": "string",
    "number": "number",
    "bigint": "bigint",
    "boolean": "boolean",
    "null": "null",
    "bytes": "ArrayBuffer",
}
SYSTEM_TABLES = ("_scheduled_functions", "_storage")


class Types:
    """Writes types for one file, and remembers what they need imported."""

    def __init__(self, model: DataModel, *, named: bool) -> None:
        """`named`: write `Doc<"table">` for a document of a table, and the names that pages and their options have.

        Inside of documents everything is spelled out: interfaces such as `PaginationResult` are not available there.
        """
        self._tables = {table.name for table in model.tables}
        self._any_table = not model.strict
        self._named = named
        self._documents = _documents(model) if named else {}
        self.data_model: set[str] = set()
        self.server: set[str] = set()
        self.values: set[str] = set()

    def of(self, described: Described, *, in_result: bool = False) -> str:
        """Return the type of a validator; in a result, fields with a default are always there."""
        flat = _flattened(described)
        if any(each["type"] == "any" for each in flat):
            return "any"
        found = dict.fromkeys(
            each if isinstance(each, str) else self._single(each, in_result)
            for each in self._with_documents(flat)
        )
        # A `null` last, as people write it.
        return union_of(sorted(found, key=lambda each: each == "null"))

    def _single(self, described: Described, in_result: bool) -> str:
        kind = described["type"]
        if kind in _SCALARS:
            return _SCALARS[kind]
        if kind == "literal":
            return _literal(from_json(described["value"]))
        if kind == "id":
            return self._id(described["tableName"])
        if kind == "array":
            return f"Array<{self.of(described['value'], in_result=in_result)}>"
        if kind == "record":
            keys = self.of(described["keys"], in_result=in_result)
            return f"Record<{keys}, {self.of(described['values']['fieldType'], in_result=in_result)}>"
        return self._object(described, in_result) if kind == "object" else "any"

    def _object(self, described: Described, in_result: bool) -> str:
        page = self._page(described, in_result) if self._named else None
        fields: Mapping[str, Any] = described["value"]
        return page or braces([self._field(name, each, in_result) for name, each in fields.items()])

    def _page(self, described: Described, in_result: bool) -> str | None:
        """Return the type of a page, or of the options for one; None for any other object."""
        own = described.get("name") if described.get("module") == "convexpy" else None
        if own == "PaginationOptions" or _shape(described) == _OPTIONS:
            self.server.add("PaginationOptions")
            return "PaginationOptions"
        if own != "PaginationResult":
            return None
        self.server.add("PaginationResult")
        items: Described = described["value"]["page"]["fieldType"]["value"]
        return f"PaginationResult<{self.of(items, in_result=in_result)}>"

    def _field(self, name: str, each: Mapping[str, Any], in_result: bool) -> str:
        there = not each.get("optional") or (in_result and bool(each.get("default")))
        return f"{key(name)}{'' if there else '?'}: {self.of(each['fieldType'], in_result=in_result)}"

    def _id(self, table: str) -> str:
        known = self._any_table or table in self._tables or table in SYSTEM_TABLES
        name = "Id" if known else "GenericId"
        (self.data_model if known else self.values).add(name)
        return f"{name}<{quoted(table)}>"

    def _with_documents(self, flat: Sequence[Described]) -> list[Described | str]:
        """Put documents in place of the objects that together are all documents of a table."""
        shapes = [_shape(each) if each["type"] == "object" else "" for each in flat]
        found: list[Described | str | None] = list(flat)
        for table, parts in self._documents.items():
            if not all(part in shapes for part in parts):
                continue
            self.data_model.add("Doc")
            first = min(shapes.index(part) for part in parts)
            found = [None if shape in parts else each for each, shape in zip(found, shapes, strict=True)]
            found[first] = f"Doc<{quoted(table)}>"
        return [each for each in found if each is not None]


def union_of(members: Sequence[str]) -> str:
    """Return the union of types; `never` without any."""
    return " | ".join(members) or "never"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Int64):
        return f"{int(value)}n"
    # TypeScript has no types for not a number, infinities and negative zero.
    return "number" if repr(value) in ("nan", "inf", "-inf", "-0.0") else repr(value)


def _flattened(described: Described) -> list[Described]:
    if described["type"] != "union":
        return [described]
    return [inner for member in described["value"] for inner in _flattened(member)]


def variants(validator: Described) -> list[Described]:
    """Return the kinds of documents of a table; none if anything goes."""
    flat = _flattened(validator)
    return flat if all(each["type"] == "object" for each in flat) else []


def document(variant: Described, table: str) -> Described:
    """Return a kind of document with its system fields."""
    identity = {"fieldType": {"type": "id", "tableName": table}, "optional": False}
    moment = {"fieldType": {"type": "number"}, "optional": False}
    return {"type": "object", "value": {"_id": identity, "_creationTime": moment, **variant["value"]}}


def _documents(model: DataModel) -> dict[str, set[str]]:
    """Return the shapes of the documents of every table that has fields."""
    found: dict[str, set[str]] = {}
    for table in sorted(model.tables, key=lambda each: each.name):
        shapes = {_shape(document(each, table.name)) for each in variants(table.described.validator)}
        if shapes:
            found[table.name] = shapes
    return found


def _shape(described: Any) -> str:
    """Return what makes two validators the same type, whatever classes they came from."""
    return json.dumps(_bare(described), sort_keys=True)


def _bare(described: Any) -> Any:
    if isinstance(described, list):
        return [_bare(each) for each in described]
    if not isinstance(described, dict):
        return described
    if described.get("type") == "object":
        fields = {
            name: [_bare(each["fieldType"]), bool(each.get("optional"))]
            for name, each in described["value"].items()
        }
        return {"object": fields}
    return {name: _bare(each) for name, each in described.items() if name != "int"}


_OPTIONS = _shape(pagination_opts.describe())
