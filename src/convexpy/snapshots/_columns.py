"""What the cells of a CSV file stand for: by the table's schema, by the user's word, or by looking at all of them.

A cell is text and nothing else. A string that could be taken for something else is written in JSON's quotes, `"40"`, and
read from them, so that what `write_csv` writes comes back as it was, with a schema or without.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from convexpy.errors import ArgumentError
from convexpy.snapshots._faults import SnapshotError
from convexpy.values import UNSET, Int64, canonical_number, decode_wire, encode_wire

Cell = Callable[[str], Any]
"""From the text of a cell to its value; UNSET leaves the field out. Raises ValueError with what is wrong."""
CsvTypes = dict[str, Cell]
"""By column."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PADDED = re.compile(r"[+-]?0[0-9]")
_JSON_WORDS = ("null", "true", "false")
_NAMED = {
    "string": "string", "number": "number", "float": "number", "int": "number", "int64": "bigint",
    "boolean": "boolean", "bool": "boolean", "bytes": "bytes", "json": "any", "id": "id", "null": "null",
}  # fmt: skip
_ORDER = [
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
]


def csv_types(validator: Mapping[str, Any] | None, given: Mapping[str, str] | None = None) -> CsvTypes:
    """Return the types of the columns that are known, from a table's described validator and the user's names.

    Raises:
        SnapshotError: a name is not a type.
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
        raise SnapshotError(f"{name!r} is not a column type", code="UsageError", hint=", ".join(_NAMED))
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
    ordered = sorted(
        members, key=lambda member: _ORDER.index(member["type"]) if member["type"] in _ORDER else 0
    )
    cells = [_quoted if member["type"] == "string" else _cell(member) for member in ordered]

    def convert(text: str) -> Any:
        problem = ValueError("no type fits")
        for cell in cells:
            try:
                return cell(text)
            except ValueError as error:
                problem = error
        raise problem

    return convert


def is_ambiguous(text: str) -> bool:
    """Say whether a string would be read as something else where nothing says that it is one."""
    return (
        not text
        or text[0] in '"{['
        or text.strip().lower() in _JSON_WORDS
        or _NUMBER.fullmatch(text.strip()) is not None
    )


def as_text(value: Any, *, quoted: bool = False) -> str:
    """Return the cell of a value; `quoted` writes every string as JSON, as a column of several kinds needs it."""
    if value is UNSET:
        return ""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if quoted or is_ambiguous(value) else value
    return encode_wire(value).decode()


class Guess:
    """What a column that nothing is known of holds, from all its cells that are not empty.

    Numbers, if every cell is one that a float64 holds exactly and that has no leading zeros; JSON, if every cell is; else
    text, where a bare `null` is null. An empty cell leaves the field out.
    """

    __slots__ = ("_kind",)

    def __init__(self) -> None:
        self._kind = "nothing"

    @property
    def settled(self) -> bool:
        """Whether no further cell can change it."""
        return self._kind == "text"

    def see(self, text: str) -> None:
        """Look at one more cell."""
        if _is_number(text):
            self._kind = "number" if self._kind == "nothing" else self._kind
        else:
            self._kind = "json" if _is_json(text) else "text"

    @property
    def cell(self) -> Cell:
        """The type."""
        return _optional({"number": _number, "json": _json}.get(self._kind, _text_or_null))


def _is_number(text: str) -> bool:
    if _PADDED.match(text):
        return False
    try:
        _number(text)
    except ValueError:
        return False
    return text[:1] != "{"


def _is_json(text: str) -> bool:
    if text not in _JSON_WORDS and text[0] not in '"{[' and not _is_number(text):
        return False
    try:
        decode_wire(text)
    except ArgumentError:
        return False
    return True


def _unquoted(text: str) -> str | None:
    """Return the string that JSON's quotes are around, or None if there are none."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def _string(text: str) -> str:
    inner = _unquoted(text)
    # Quotes around what needs none are part of the text.
    return text if inner is None or not is_ambiguous(inner) else inner


def _quoted(text: str) -> str:
    inner = _unquoted(text)
    return text if inner is None else inner


def _text_or_null(text: str) -> str | None:
    return None if text == "null" else _string(text)


def _number(text: str) -> Any:
    if text.startswith('{"$float"'):
        return _of_wire(text, int | float)
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(f"{text[:40]!r} is not a number")
    number = float(text)
    whole = text.strip().lstrip("+")
    if number in (inf, -inf) or (whole.lstrip("-").isdecimal() and int(whole) != int(number)):
        raise ValueError(f"a float64 cannot hold {text[:40]}: make it a string, or an int64 with --types")
    return canonical_number(number)


def _of_wire(text: str, kind: Any) -> Any:
    """Return the value of one of Convex's forms of JSON, such as `{"$integer": …}`."""
    value = _json(text)
    if not isinstance(value, kind):
        raise ValueError(f"{text[:40]!r} is of another type")
    return value


def _bigint(text: str) -> Int64:
    if text.startswith('{"$integer"'):
        found: Int64 = _of_wire(text, Int64)
        return found
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text.strip()) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"{text[:40]!r} is not a 64-bit integer")
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
    if text.startswith('{"$bytes"'):
        found: bytes = _of_wire(text, bytes)
        return found
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{text[:40]!r} is not valid base64") from None


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
