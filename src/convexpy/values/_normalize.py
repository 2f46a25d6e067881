"""From what app code hands in to the one canonical form of a value.

Canonical: `None`, `bool`, `str`, `bytes`, `Int64`, `list`, `dict` with `str` keys, and numbers as `int` when
whole and within ±2^53, else as `float`. Equal values have equal canonical forms, so encodings compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec

from convexpy.errors import ArgumentError
from convexpy.limits import VALUE_NESTING_MAX
from convexpy.values._rules import (
    Fault,
    check_count,
    check_length,
    check_name,
    check_text,
    too_nested,
    valid_names,
)
from convexpy.values._types import SAFE_INTEGER, UNSET, Int64

NAN = math.nan
"""The one NaN of canonical values."""

_OTHER_UNSET = msgspec.UNSET
_HINTS = {
    "datetime": " (pass milliseconds, e.g. to_ms(when))",
    "date": " (pass a string, e.g. day.isoformat())",
    "timedelta": " (pass milliseconds, e.g. delta / timedelta(milliseconds=1))",
    "set": " (pass a list, e.g. sorted(items))",
    "frozenset": " (pass a list, e.g. sorted(items))",
    "generator": " (pass a list, e.g. list(items))",
    "ndarray": " (pass a list, e.g. array.tolist())",
    "dict_keys": " (pass a list, e.g. list(items))",
    "dict_values": " (pass a list, e.g. list(items))",
    "Decimal": " (pass a string, or a float where rounding is harmless)",
    "UUID": " (pass a string, e.g. str(uuid))",
    "coroutine": " (a call that was not awaited)",
}


def normalize(value: Any, *, path: str = "$") -> Any:
    """Return the canonical form of a value: fresh containers, nothing shared with the argument.

    Raises:
        ArgumentError: it is not a Convex value; the message names the place, starting from `path`.
    """
    try:
        return _walk(value, 0)
    except Fault as fault:
        raise ArgumentError(fault.describe(path)) from None


def normalize_patch(value: Any) -> dict[str, Any]:
    """Return the canonical form of an object, keeping UNSET as the value of its top-level fields."""
    try:
        if type(value) is not dict:
            items = _items(value)
            if items is None:
                raise Fault(f"expected an object at {{path}}, found {type(value).__name__}")
            value = dict(items)
        plain: dict[str, Any] = _walk_object(value.items(), 1)
        if len(plain) != len(value):
            for name, item in value.items():
                if item is UNSET:
                    plain[check_name(name)] = UNSET
        return plain
    except Fault as fault:
        raise ArgumentError(fault.describe("$")) from None


def canonical_number(value: float) -> int | float:
    """Return a float in canonical form: whole and within ±2^53 as an int; -0.0 and special values stay."""
    if value.is_integer():
        if -SAFE_INTEGER <= value <= SAFE_INTEGER and (value or math.copysign(1.0, value) > 0):
            return int(value)
        return value
    return NAN if value != value else value


def _walk(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            check_text(value)
        return value
    if kind is int:
        if -SAFE_INTEGER <= value <= SAFE_INTEGER:
            return value
        raise _unsafe(value)
    if value is None or kind is bool:
        return value
    if kind is dict:
        return _walk_object(value.items(), depth + 1)
    if kind is list:
        return _walk_array(value, depth + 1)
    if kind is float:
        return canonical_number(value)
    if kind is bytes or kind is Int64:
        return value
    return _walk_other(value, depth)


def _walk_object(items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
    if depth > VALUE_NESTING_MAX:
        raise too_nested()
    plain: dict[str, Any] = {}
    name: Any = None
    try:
        for name, item in items:
            if item is UNSET or item is _OTHER_UNSET:
                continue
            if type(name) is not str or name not in valid_names:
                name = check_name(name)
            kind = type(item)
            # Most fields are these: not worth a call.
            if (kind is str and item.isascii()) or (kind is int and -SAFE_INTEGER <= item <= SAFE_INTEGER):
                plain[name] = item
            else:
                plain[name] = _walk(item, depth)
    except Fault as fault:
        fault.segments.append(name)
        raise
    if len(plain) > 100:
        check_count(len(plain))
    return plain


def _walk_array(items: Any, depth: int) -> list[Any]:
    if depth > VALUE_NESTING_MAX:
        raise too_nested()
    check_length(len(items))
    plain: list[Any] = []
    try:
        for item in items:
            plain.append(_walk(item, depth))  # noqa: PERF401 - the length tells where a fault is
    except Fault as fault:
        fault.segments.append(len(plain))
        raise
    return plain


def _walk_other(value: Any, depth: int) -> Any:
    """Handle what is rarer: subclasses, tuples, buffers, mappings, instances that stand for objects."""
    if isinstance(value, Int64):
        return Int64(value)
    if isinstance(value, Enum) and isinstance(value.value, str):
        return _walk(str(value.value), depth)
    if isinstance(value, str):
        return _walk(str.__str__(value), depth)
    if isinstance(value, int):
        return _walk(int(value), depth)
    if isinstance(value, float):
        return _walk(float(value), depth)
    if isinstance(value, list | tuple):
        return _walk_array(value, depth + 1)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    items = _items(value)
    if items is None:
        raise _unsupported(value)
    return _walk_object(items, depth + 1)


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return names and values of what stands for an object, else None."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, type):
        return None
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return [
            (wire, getattr(value, name))
            for name, wire in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        ]
    for attribute in ("__dataclass_fields__", "__pydantic_fields__"):
        if hasattr(kind, attribute):
            return [(name, getattr(value, name)) for name in getattr(kind, attribute)]
    return None


def _unsafe(value: int) -> Fault:
    return Fault(
        f"Integer {value} at {{path}} is outside of ±2^53, where numbers are exact: "
        "wrap it, e.g. Int64(n), and declare v.int64()"
    )


def _unsupported(value: Any) -> Fault:
    if value is UNSET:
        return Fault("unsupported value at {path}: UNSET (it may only be the value of a field)")
    name = type(value).__name__
    return Fault(f"unsupported value at {{path}}: {name}{_HINTS.get(name, '')}")
