"""Documents as text: cells of a table, JSON to edit, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from convexpy.errors import ArgumentError, Error
from convexpy.protocol.app_description import TableDescription
from convexpy.schema.shapes import shape_lines
from convexpy.values import Int64, decode_id, from_json, load_validator
from convexpy_cli.dashboard.ui.grid import Cell, Column, Row
from convexpy_cli.data.reading import SYSTEM_FIELDS, columns_of
from convexpy_cli.output.json import dumps
from convexpy_cli.output.units import iso_time, local_time

TEXT_LENGTH = 160
ID_LENGTHS = range(31, 38)


def columns(documents: Sequence[Mapping[str, Any]], described: TableDescription | None) -> list[str]:
    """Return the columns of a table: the fields of its schema, even without a document, and those of its documents."""
    fields = (
        list(described.validator.get("value") or ())
        if described is not None and _is_object(described)
        else []
    )
    shape = dict.fromkeys(["_id", *fields, "_creationTime"])
    return columns_of([shape, *documents], described)


def _is_object(described: TableDescription) -> bool:
    return described.validator.get("type") == "object"


def grid_columns(names: Sequence[str], sortable: Mapping[str, str]) -> list[Column]:
    """Return the columns of the grid; `sortable` are the fields that an index begins with."""
    looks = {"_id": "mono id", "_creationTime": "number"}
    return [Column(name, name, looks.get(name, ""), sortable=name in sortable) for name in names]


def rows(
    documents: Sequence[Mapping[str, Any]], names: Sequence[str], tables: Mapping[int, str]
) -> list[Row]:
    """Return a row for each document; `tables` are the names of tables by number, to which ids link."""
    return [
        Row(
            str(each["_id"]), [cell(name, each[name], tables) if name in each else Cell("") for name in names]
        )
        for each in documents
    ]


def cell(name: str, value: Any, tables: Mapping[int, str]) -> Cell:
    """Return a field's value as a cell: ids link, times are local, what is long is cut."""
    if name == "_creationTime" and isinstance(value, int | float):
        return Cell(local_time(value), title=iso_time(value))
    if value is None:
        return Cell("null", tone="null")
    if isinstance(value, str):
        href = None if name == "_id" else document_link(value, tables)
        return Cell(
            _cut(value), href=href, tone="string" if href else "", title=value if len(value) > 30 else None
        )
    text = plain(value)
    return Cell(_cut(text), tone="value", title=text[:2000] if len(text) > 40 else None)


def document_link(text: str, tables: Mapping[int, str]) -> str | None:
    """Return where the document of an id is shown, or None if it is not an id of a table that there is."""
    decoded = decode_id(text) if len(text) in ID_LENGTHS else None
    table = None if decoded is None else tables.get(decoded[0])
    return None if table is None else f"/data/{quote(table)}?document={text}"


def plain(value: Any) -> str:
    """Return a value of Convex's JSON encoding as a person reads it: `12n`, `3 bytes`, else JSON."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
        read = from_json(value)
        if isinstance(read, bytes):
            return f"{len(read):,} bytes"
        return f"{read}n" if isinstance(read, Int64) else str(read)
    return dumps(value)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]}…"


# To edit


def to_text(document: Mapping[str, Any]) -> str:
    """Return the fields of a document that can be changed, as JSON with a line for each."""
    return pretty({name: value for name, value in document.items() if name not in SYSTEM_FIELDS})


def pretty(value: Any) -> str:
    """Return JSON on several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def shape(described: TableDescription) -> list[str]:
    """Return the schema of a table, a line for each field."""
    return shape_lines(described.validator)


def template(described: TableDescription | None) -> str:
    """Return a document to begin with: the required fields of the schema."""
    if described is None or not _is_object(described):
        return "{\n  \n}"
    fields: Mapping[str, Any] = described.validator["value"]
    return pretty(
        {name: _example(each["fieldType"]) for name, each in fields.items() if not each.get("optional")}
    )


def _example(validator: Mapping[str, Any]) -> Any:
    kind = validator["type"]
    if kind == "literal":
        return validator["value"]
    if kind == "union":
        return _example(validator["value"][0]) if validator["value"] else None
    if kind == "object":
        return {
            name: _example(each["fieldType"])
            for name, each in validator["value"].items()
            if not each.get("optional")
        }
    plain_values: dict[str, Any] = {
        "number": 0,
        "boolean": False,
        "array": [],
        "record": {},
        "null": None,
        "any": None,
    }
    plain_values["bigint"] = {"$integer": "AAAAAAAAAAA="}
    plain_values["bytes"] = {"$bytes": ""}
    return plain_values.get(kind, "")


def read_text(text: str, described: TableDescription | None) -> dict[str, Any]:
    """Return the document of a JSON text, in Convex's JSON encoding.

    Raises:
        ArgumentError: it is not JSON, not a document, or does not fit the schema; says where.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    if not isinstance(document, dict):
        raise ArgumentError("A document is a JSON object: { … }.")
    reserved = [name for name in document if name.startswith(("_", "$"))]
    if reserved:
        raise ArgumentError(
            f"{reserved[0]}: names of fields do not begin with _ or $; the server sets system fields."
        )
    value = from_json(document)
    if described is not None:
        load_validator(described.validator).validate(value)
    return document


def problem(text: str, described: TableDescription | None) -> str:
    """Return what is wrong with a text, or nothing."""
    try:
        read_text(text, described)
    except Error as error:
        return error.message
    return ""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that were set, and those that were removed."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    removed = [name for name in before if name not in after and name not in SYSTEM_FIELDS]
    return changed, removed
