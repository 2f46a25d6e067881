"""From the description of a validator to its type in TypeScript: what official clients send and receive."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convexpy.project.codegen.typescript._layout import (
    LINE,
    SOFT,
    Group,
    IfBroken,
    Indent,
    Layout,
    braces,
    generic,
    joined,
    key,
    print_lines,
    quoted,
)
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


@dataclass(frozen=True)
class Type:
    """A type. `field` is how it is laid out after the colon of a field, where that differs.

    `hugs`: as the only argument of a generic it keeps the brackets close, however long it is; `keeps_null`: so does
    a `| null` after it.
    """

    layout: Layout
    hugs: bool = False
    field: Layout | None = None
    keeps_null: bool = False

    @property
    def in_field(self) -> Layout:
        """What stands after the colon of a field."""
        return self.layout if self.field is None else self.field

    @property
    def text(self) -> str:
        """The type on one line."""
        return print_lines(Group(self.layout), width=1 << 30)


def _word(text: str) -> Type:
    return Type(text, hugs=True)


class Types:
    """Writes types for one file, and remembers what they need imported."""

    def __init__(self, model: DataModel, *, named: bool) -> None:
        """`named`: write `Doc<"table">` for a document of a table, and the names that pages and their options have.

        Inside of documents everything is spelled out: interfaces such as `PaginationResult` are no values there.
        """
        self._tables = {table.name for table in model.tables}
        self._any_table = not model.strict
        self._named = named
        self._documents = _documents(model) if named else {}
        self.data_model: set[str] = set()
        self.server: set[str] = set()
        self.values: set[str] = set()

    def of(self, described: Described, *, in_result: bool = False) -> Type:
        """Return the type of a validator; in a result, fields with a default are always there."""
        return union_of(self._members(described, in_result))

    def _members(self, described: Described, in_result: bool) -> list[Type]:
        flat = _flattened(described)
        if any(each["type"] == "any" for each in flat):
            return [_word("any")]
        found: dict[str, Type] = {}
        for each in self._with_documents(flat):
            made = each if isinstance(each, Type) else self._single(each, in_result)
            found.setdefault(made.text, made)
        # A `null` last, as people write it.
        return sorted(found.values(), key=lambda each: each.layout == "null")

    def _single(self, described: Described, in_result: bool) -> Type:
        kind = described["type"]
        if kind in _SCALARS:
            return _word(_SCALARS[kind])
        if kind == "literal":
            return _literal(from_json(described["value"]))
        if kind == "id":
            return self._id(described["tableName"])
        if kind == "array":
            return _one_argument("Array", self.of(described["value"], in_result=in_result))
        if kind == "record":
            keys = self.of(described["keys"], in_result=in_result)
            values = self.of(described["values"]["fieldType"], in_result=in_result)
            return Type(generic("Record", [keys.layout, values.layout]), keeps_null=True)
        if kind == "object":
            return self._object(described, in_result)
        return _word("any")

    def _object(self, described: Described, in_result: bool) -> Type:
        fields: Mapping[str, Any] = described["value"]
        page = self._page(described, in_result) if self._named else None
        if page is not None:
            return page
        members = [self.field(name, each, in_result=in_result) for name, each in fields.items()]
        return Type(braces(members), hugs=True, keeps_null=True)

    def _page(self, described: Described, in_result: bool) -> Type | None:
        """Return the type of a page, or of the options for one; None for any other object."""
        own = described.get("name") if described.get("module") == "convexpy" else None
        if own == "PaginationOptions" or _shape(described) == _OPTIONS:
            self.server.add("PaginationOptions")
            return _word("PaginationOptions")
        if own != "PaginationResult":
            return None
        self.server.add("PaginationResult")
        items: Described = described["value"]["page"]["fieldType"]["value"]
        return _one_argument("PaginationResult", self.of(items, in_result=in_result))

    def field(self, name: str, each: Mapping[str, Any], *, in_result: bool = False) -> Layout:
        """Return a field of an object: `name?: type`."""
        there = not each.get("optional") or (in_result and bool(each.get("default")))
        return (key(name), ": " if there else "?: ", self.of(each["fieldType"], in_result=in_result).in_field)

    def _id(self, table: str) -> Type:
        known = self._any_table or table in self._tables or table in SYSTEM_TABLES
        name = "Id" if known else "GenericId"
        (self.data_model if known else self.values).add(name)
        return Type(generic(name, [quoted(table)], hug=True), keeps_null=True)

    def _with_documents(self, flat: Sequence[Described]) -> list[Described | Type]:
        """Put documents in place of the objects that together are all documents of a table."""
        shapes = [_shape(each) if each["type"] == "object" else "" for each in flat]
        found: list[Described | Type | None] = list(flat)
        for table, parts in self._documents.items():
            if not all(part in shapes for part in parts):
                continue
            self.data_model.add("Doc")
            first = min(shapes.index(part) for part in parts)
            found = [None if shape in parts else each for each, shape in zip(found, shapes, strict=True)]
            found[first] = Type(generic("Doc", [quoted(table)], hug=True), keeps_null=True)
        return [each for each in found if each is not None]


def union_of(members: Sequence[Type]) -> Type:
    """Return the union of types; `never` without any."""
    if len(members) < 2:
        return members[0] if members else _word("never")
    if len(members) == 2 and members[0].keeps_null and members[1].layout == "null":
        return Type((members[0].layout, " | null"), hugs=True)
    parts = [Indent(member.layout) for member in members]
    inside = Group((IfBroken("| "), joined(parts, LINE, "| ")))
    return Type(inside, field=Group(Indent((SOFT, inside))))


def _one_argument(name: str, argument: Type) -> Type:
    return Type(generic(name, [argument.layout], hug=argument.hugs), keeps_null=True)


def _literal(value: object) -> Type:
    if isinstance(value, str):
        return _word(quoted(value))
    if isinstance(value, bool):
        return _word("true" if value else "false")
    if isinstance(value, Int64):
        return _word(f"{int(value)}n")
    if repr(value) in ("nan", "inf", "-inf", "-0.0"):
        # TypeScript has no types for these.
        return _word("number")
    return _word(re.sub(r"e\+?(-?)0*", r"e\1", repr(value)))


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
