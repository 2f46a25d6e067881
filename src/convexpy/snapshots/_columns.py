"""What the cells of a CSV file stand for: by the table's schema, by the user's word, or by looking at all of them.

A cell is text and nothing else, so `0040` is a string where the schema says so and the number 40 where nothing does.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from convexpy.errors import ArgumentError
from convexpy.snapshots._faults import SnapshotError
from convexpy.values import UNSET, Int64, canonical_number, decode_wire

__all__ = ["NUMBER", "Cell", "CsvTypes", "csv_types", "type_by_name"]

Cell = Callable[[str], Any]
"""From the text of a cell to its value; UNSET leaves the field out. Raises ValueError with what is wrong."""
CsvTypes = dict[str, Cell]
"""By column."""
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAMED = {
    "string": "string", "number": "number", "float": "number", "int": "number", "int64": "bigint",
    "boolean": "boolean", "bool": "boolean", "bytes": "bytes", "json": "any", "id": "id", "null": "null",
}  # fmt: skip
_ORDER = (
    "null",
    "boolean",
    "number",
    "bigint",
    "literal",
    "array",
    "object",
    "record",
    "bytes",
    "any",
    "id",
    "string",
)


def csv_types(validator: Mapping[str, Any] | None, given: Mapping[str, str] | None = None) -> CsvTypes:
    """Return the types of the columns that are known, from a table's described validator and the user's names.

    Raises:
        SnapshotError: a name is no type.
    """
    types: CsvTypes = {"_id": _optional(_string), "_creationTime": _optional(_number)}
    fields: Mapping[str, Any] = {}
    if validator is not None and validator["type"] == "object":
        fields = validator["value"]
    for name, field in fields.items():
        if field["fieldType"]["type"] == "any":
            continue  # says nothing: looking at the cells does
        cell = _cell(field["fieldType"])
        types[name] = _optional(cell) if field["optional"] else cell
    for name, type_ in (given or {}).items():
        types[name] = type_by_name(type_)
    return types


def type_by_name(name: str) -> Cell:
    """Return the type that a user has named.

    Raises:
        SnapshotError: there is none of that name.
    """
    if name not in _NAMED:
        raise SnapshotError(f"{name!r} is no type of a column", code="UsageError", hint=", ".join(_NAMED))
    return _cell({"type": _NAMED[name]})


def _cell(description: Mapping[str, Any]) -> Cell:
    kind = description["type"]
    if kind == "union":
        return _union([*description["value"]])
    if kind == "literal":
        return _literal(description["value"])
    return _CELLS[kind]


def _optional(cell: Cell) -> Cell:
    return lambda text: cell(text) if text else UNSET


def _union(members: list[Mapping[str, Any]]) -> Cell:
    """Take the first member that a cell can be; text, which every cell can be, comes last."""
    cells = [_cell(member) for member in sorted(members, key=lambda member: _rank(member["type"]))]

    def convert(text: str) -> Any:
        problem = ValueError("no type fits")
        for cell in cells:
            try:
                return cell(text)
            except ValueError as error:
                problem = error
        raise problem

    return convert


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else 0


def _string(text: str) -> str:
    return text


def _number(text: str) -> Any:
    if NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(f"{text[:40]!r} is no number")
    return canonical_number(float(text))


def _bigint(text: str) -> Int64:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text.strip()) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"{text[:40]!r} is no 64-bit integer")
    return Int64(int(text))


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in ("true", "false"):
        raise ValueError(f"{text[:40]!r} is neither true nor false")
    return lowered == "true"


def _null(text: str) -> None:
    if text not in ("", "null"):
        raise ValueError(f"{text[:40]!r} is not null")


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{text[:40]!r} is no base64") from None


def _json(text: str) -> Any:
    try:
        return decode_wire(text)
    except ArgumentError as error:
        raise ValueError(error.message) from None


def _literal(value: Any) -> Cell:
    if isinstance(value, bool):
        cell: Cell = _boolean
    elif isinstance(value, int | float):
        cell = _number
    else:
        cell = _string

    def convert(text: str) -> Any:
        if cell(text) != value:
            raise ValueError(f"{text[:40]!r} is not {value!r}")
        return value

    return convert


_CELLS: dict[str, Cell] = {
    "string": _string, "id": _string, "number": _number, "bigint": _bigint, "boolean": _boolean, "null": _null,
    "bytes": _bytes, "array": _json, "object": _json, "record": _json, "any": _json,
}  # fmt: skip
