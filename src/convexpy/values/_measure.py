"""Size, depth and order of values, and the limits of documents."""

from __future__ import annotations

from typing import Any

from convexpy.errors import ArgumentError
from convexpy.limits import (
    DOCUMENT_NESTING_MAX,
    DOCUMENT_SIZE_BYTES_MAX,
    VALUE_SIZE_BYTES_MAX,
)
from convexpy.values._keys import encode_value
from convexpy.values._normalize import normalize
from convexpy.values._types import UNSET, Int64

_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})
_FIXED = {type(None): 1, bool: 1, int: 9, float: 9, Int64: 9}


def compare(a: Any, b: Any, /) -> int:
    """Return -1, 0 or 1, in Convex's order of values of all types; UNSET comes first."""
    left, right = (value if value is UNSET else normalize(value) for value in (a, b))
    left_key, right_key = encode_value(left), encode_value(right)
    return (left_key > right_key) - (left_key < right_key)


def size(value: Any, /) -> int:
    """Return the bytes of a value as the limits count them."""
    return size_of(normalize(value))


def size_of(value: Any) -> int:
    """Return the bytes of a canonical value as the limits count them; cost: a walk over all of it."""
    kind = type(value)
    if kind is str:
        return 2 + (len(value) if value.isascii() else len(value.encode()))
    if kind is dict:
        return 2 + sum([len(name) + 1 + size_of(item) for name, item in value.items()])
    if kind is list:
        return 2 + sum([size_of(item) for item in value])
    if kind is bytes:
        return 2 + len(value)
    return _FIXED[kind]


def nesting(value: Any) -> int:
    """Return the levels of arrays and objects in a canonical value: 0 for a scalar, 1 for `{}`."""
    kind = type(value)
    if kind is dict:
        return 1 + max(map(nesting, value.values()), default=0)
    if kind is list:
        return 1 + max(map(nesting, value), default=0)
    return 0


def check_value_size(value: Any) -> None:
    """Refuse a canonical value that is larger than any value may be.

    Raises:
        ArgumentError: it is over the limit.
    """
    _check_size(size_of(value), VALUE_SIZE_BYTES_MAX)


def check_document_limits(document: dict[str, Any]) -> None:
    """Refuse a canonical object that cannot be a document: too large, too deep, or with reserved field names.

    Raises:
        ArgumentError: with Convex's text.
    """
    for name in document:
        if name.startswith("_") and name not in _SYSTEM_FIELDS:
            raise ArgumentError(
                f"Field '{name}' starts with an underscore, "
                "which is only allowed for system fields like '_id'"
            )
        if not name:
            raise ArgumentError("Field names of a document cannot be empty")
    depth = nesting(document)
    if depth > DOCUMENT_NESTING_MAX:
        raise ArgumentError(
            f"Document is too nested (nested {depth} levels deep > maximum nesting {DOCUMENT_NESTING_MAX})"
        )
    _check_size(size_of(document), DOCUMENT_SIZE_BYTES_MAX)


def _check_size(found: int, maximum: int) -> None:
    if found > maximum:
        raise ArgumentError(f"Value is too large ({_human(found)} > maximum size {_human(maximum)})")


def _human(size_bytes: int) -> str:
    mib = size_bytes / 2**20
    return f"{mib:g} MiB" if mib == int(mib) else f"{mib:.2f} MiB"
