"""How the values that JSON lacks are written in each form of JSON."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

from convexpy.values._types import Int64

_DOUBLE = struct.Struct("<d")


class JsonForm(NamedTuple):
    """How the values that JSON lacks are written."""

    integer: Callable[[Int64], Any]
    special: Callable[[float], Any]
    buffer: Callable[[bytes], Any]
    number: Callable[[int], Any]


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def special_name(number: float) -> str:
    if number != number:
        return "NaN"
    if number == 0:
        return "-0"
    return "Infinity" if number > 0 else "-Infinity"


def tag_buffer(data: bytes) -> Any:
    return {"$bytes": _base64(data)}


def tag_double(number: float) -> Any:
    return {"$float": _base64(_DOUBLE.pack(number))}


def tag_integer(number: Int64) -> Any:
    return {"$integer": _base64(int(number).to_bytes(8, "little", signed=True))}


def _tag_decimal(number: Int64) -> Any:
    return {"$integer": str(number)}


def _tag_name(number: float) -> Any:
    return {"$float": special_name(number)}


def _zero_or_name(number: float) -> Any:
    return number if number == 0 else special_name(number)


def _zero_or_double(number: float) -> Any:
    return number if number == 0 else tag_double(number)


WIRE = JsonForm(
    integer=tag_integer,
    special=tag_double,
    buffer=tag_buffer,
    number=int,
)
STORED = JsonForm(
    integer=_tag_decimal,
    special=_tag_name,
    buffer=tag_buffer,
    number=int,
)
CLEAN = JsonForm(
    integer=str,
    special=_zero_or_name,
    buffer=_base64,
    number=float,
)
EXPORT = JsonForm(
    integer=int,
    special=_zero_or_double,
    buffer=tag_buffer,
    number=float,
)
