"""Values as JSON: the form on the wire, the stored form, and the two lossy ones for people and for exports.

Format (wire):    int64 as {"$integer": base64 of 8 bytes, little endian}, NaN, ±inf and -0.0 as
                  {"$float": base64}, bytes as {"$bytes": base64}; keys sorted, no whitespace, so equal
                  values are equal bytes.
Format (stored):  the same, but a person can read it: {"$integer": "42"}, {"$float": "NaN"}, and
                  "Infinity", "-Infinity", "-0" likewise.
Invariant:        what is encoded is canonical (see `normalize`), what is decoded is canonical.

Most values have nothing to tag; a quick look at the types then leaves all the work to msgspec.
"""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from convexpy.errors import ArgumentError
from convexpy.limits import VALUE_NESTING_MAX
from convexpy.values._json_forms import (
    CLEAN,
    EXPORT,
    STORED,
    WIRE,
    JsonForm,
    special_name,
    tag_buffer,
    tag_double,
    tag_integer,
)
from convexpy.values._normalize import NAN, canonical_number, normalize
from convexpy.values._rules import (
    Fault,
    check_count,
    check_length,
    check_name,
    check_text,
    too_nested,
    valid_names,
)
from convexpy.values._types import INT64_MAX, INT64_MIN, SAFE_INTEGER, Int64

_NATIVE = frozenset({str, bool, int, type(None)})
_SPECIAL_NAMES = {"NaN": NAN, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}
_DOUBLE = struct.Struct("<d")
_sorted = msgspec.json.Encoder(order="deterministic").encode
_unsorted = msgspec.json.Encoder().encode
_parse = msgspec.json.Decoder().decode


def _is_plain(members: Iterable[Any]) -> bool:
    """Whether msgspec alone writes all rightly: no bytes, no Int64, no float that is special or whole."""
    for member in [item for item in members if type(item) not in _NATIVE]:
        kind = type(member)
        if kind is float:
            if member - member != 0 or member.is_integer():
                return False
        elif kind is dict:
            if not _is_plain(member.values()):
                return False
        elif kind is not list or not _is_plain(member):
            return False
    return True


def _tagged(value: Any, form: JsonForm) -> Any:
    kind = type(value)
    if kind is dict:
        return {name: _tagged(item, form) for name, item in value.items()}
    if kind is list:
        return [_tagged(item, form) for item in value]
    if kind is int:
        return form.number(value)
    if kind is float:
        number = canonical_number(value)
        if type(number) is int:
            return form.number(number)
        return form.special(number) if number - number != 0 or number == 0 else number
    if kind is bytes:
        return form.buffer(value)
    if kind is Int64:
        return form.integer(value)
    return value


def to_json(value: Any, /) -> Any:
    """Return what `json.dumps` takes: int64 as `$integer`, bytes as `$bytes`, special floats as `$float`.

    Raises:
        ArgumentError: it is not a Convex value.
    """
    return _tagged(normalize(value), WIRE)


def encode_wire(value: Any) -> bytes:
    """Return the canonical wire form of a canonical value: equal values give equal bytes."""
    if value is None:
        return b"null"
    return _sorted(value if _is_plain((value,)) else _tagged(value, WIRE))


def encode_result(value: Any) -> bytes:
    """Return the wire form of a canonical value as the official backend writes it to clients: whole numbers as `4.0`.

    The PyPI client takes `4` for an error. Clients in JavaScript see no difference.
    """
    kind = type(value)
    if kind is str or value is None:
        return _sorted(value)
    return _sorted(value + 0.0 if kind is int else _floated(value, kind))


def _floated(value: Any, kind: type[Any]) -> Any:
    # One pass with the usual cases in line: results are encoded as often as they are computed.
    if kind is dict:
        return {
            name: item
            if (of := type(item)) is str
            else item + 0.0
            if of is int
            else item
            if (of is float and item and item - item == 0) or of is bool or item is None
            else _floated(item, of)
            for name, item in value.items()
        }
    if kind is list:
        return [
            item if (of := type(item)) is str else item + 0.0 if of is int else _floated(item, of)
            for item in value
        ]
    if kind is float:
        return value if value and value - value == 0 else tag_double(value)
    if kind is bytes:
        return tag_buffer(value)
    return tag_integer(value) if kind is Int64 else value


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the stored form of a canonical object."""
    return _unsorted(document if _is_plain(document.values()) else _tagged(document, STORED))


def encode_clean(value: Any) -> bytes:
    """Return the lossy form for people and curl (`format: "json"`): int64 as a string, bytes as base64."""
    return _sorted(_tagged(value, CLEAN))


def encode_export(value: Any) -> bytes:
    """Return the form of exports: int64 as an integer literal, other numbers with a point or an exponent."""
    return _sorted(_tagged(value, EXPORT))


def from_json(value: Any, /) -> Any:
    """Return the value of parsed JSON in the wire form.

    Raises:
        ArgumentError: it is not a Convex value; the message names the place.
    """
    try:
        return _read(value, 0)
    except Fault as fault:
        raise ArgumentError(fault.describe("$")) from None


def decode_wire(data: bytes | str) -> Any:
    """Return the value that JSON text in the wire form stands for.

    Raises:
        ArgumentError: it is not JSON, or no Convex value.
    """
    try:
        return _read(_parsed(data), 0)
    except Fault as fault:
        raise ArgumentError(fault.describe("$")) from None


def decode_export(data: bytes | str) -> Any:
    """Return the value of JSON text in the form of exports: integer literals are int64.

    Raises:
        ArgumentError: it is not JSON, or no Convex value.
    """
    return from_json(_with_int64(_parsed(data)))


def decode_document(data: bytes) -> dict[str, Any]:
    """Return the object that `encode_document` wrote."""
    document: dict[str, Any] = _parse(data)
    # One byte is found much faster than two.
    if 36 in data and b'"$' in data:
        for name, item in document.items():
            if type(item) is dict or type(item) is list:
                document[name] = _untagged(item)
    return document


def _parsed(data: bytes | str) -> Any:
    try:
        return _parse(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ArgumentError(f"not a JSON value: {error}") from None


def _untagged(value: dict[str, Any] | list[Any]) -> Any:
    if type(value) is list:
        return [_untagged(item) if type(item) is dict or type(item) is list else item for item in value]
    fields = cast(dict[str, Any], value)
    if len(fields) == 1:
        ((name, text),) = fields.items()
        if name == "$integer":
            return Int64(text)
        if name == "$float":
            return _SPECIAL_NAMES[text]
        if name == "$bytes":
            return b64decode(text)
    for name, item in fields.items():
        if type(item) is dict or type(item) is list:
            fields[name] = _untagged(item)
    return fields


def _read(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            check_text(value)
        return value
    if kind is int:
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else _rounded(value)
    if kind is dict:
        return _read_object(value, depth + 1)
    if kind is list:
        return _read_array(value, depth + 1)
    if kind is float:
        if value - value != 0:
            raise Fault(f"unsupported number at {{path}}: {special_name(value)} is written as $float")
        return canonical_number(value)
    if value is None or kind is bool or kind is Int64:
        return value
    raise Fault(f"unsupported value at {{path}}: {kind.__name__}")


def _rounded(value: int) -> float:
    try:
        return canonical_number(float(value))
    except OverflowError:
        raise Fault("unsupported number at {path}: out of range") from None


def _read_object(value: dict[Any, Any], depth: int) -> Any:
    if len(value) == 1:
        ((name, item),) = value.items()
        if isinstance(name, str) and name.startswith("$"):
            return _read_special(name, item)
    if depth > VALUE_NESTING_MAX:
        raise too_nested()
    check_count(len(value))
    plain: dict[str, Any] = {}
    name = ""
    try:
        for name, item in value.items():
            if name not in valid_names:
                name = check_name(name)
            kind = type(item)
            # Most fields are these: not worth a call.
            if (kind is str and item.isascii()) or (kind is int and -SAFE_INTEGER <= item <= SAFE_INTEGER):
                plain[name] = item
            else:
                plain[name] = _read(item, depth)
    except Fault as fault:
        fault.segments.append(name)
        raise
    return plain


def _read_array(value: list[Any], depth: int) -> list[Any]:
    if depth > VALUE_NESTING_MAX:
        raise too_nested()
    check_length(len(value))
    plain: list[Any] = []
    try:
        for item in value:
            plain.append(_read(item, depth))  # noqa: PERF401 - the length tells where a fault is
    except Fault as fault:
        fault.segments.append(len(plain))
        raise
    return plain


def _read_special(name: str, text: Any) -> Any:
    if name not in ("$integer", "$float", "$bytes"):
        check_name(name)
    if not isinstance(text, str):
        raise Fault(f"{name} at {{path}} must be a base64 string")
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Fault(f"{name} at {{path}} must be a base64 string") from None
    if name == "$bytes":
        return data
    if len(data) != 8:
        raise Fault(f"{name} at {{path}} must hold 8 bytes, found {len(data)}")
    if name == "$integer":
        return Int64(int.from_bytes(data, "little", signed=True))
    (number,) = _DOUBLE.unpack(data)
    if number - number == 0 and number != 0:
        raise Fault(f"Float64 {number} at {{path}} should be encoded as a number")
    return canonical_number(number)


def _with_int64(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        if not INT64_MIN <= value <= INT64_MAX:
            raise ArgumentError(f"integer {value} does not fit into 64 bits")
        return Int64(value)
    if kind is list:
        return [_with_int64(item) for item in value]
    if kind is dict:
        return {name: _with_int64(item) for name, item in value.items()}
    return value
