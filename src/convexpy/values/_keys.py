"""Order-preserving encoding of values: comparing two index keys as bytes compares the values.

Format:     one tag byte per value, then its payload. Strings, buffers and names of fields have each 00
            written as 00 ff and end in 00, as do arrays and objects. Integers are big endian, their length is
            in the tag. Doubles are big endian, the sign bit flipped, or all bits inverted if it was set.
Order:      UNSET < null < int64 < float64 < false < true < string < bytes < array < object.
Invariant:  for sequences of values of one length, encode_key(a) < encode_key(b) exactly if a sorts before b.
            Where one encoding continues another, it does so with the byte ff, which starts no value: hence
            `prefix_successor`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from convexpy.errors import ArgumentError, InvariantViolation
from convexpy.values._normalize import canonical_number
from convexpy.values._types import UNSET, Int64

_UNDEFINED = b"\x01"
_NULL = b"\x03"
_FALSE = b"\x0e"
_TRUE = b"\x0f"
_STRING, _BYTES, _ARRAY, _OBJECT = 0x10, 0x11, 0x12, 0x15
_DOUBLE = 0x0D
_INT_ZERO = 0x08
_INT_SIZES = {0x04: 8, 0x05: 4, 0x06: 2, 0x07: 1, 0x08: 0, 0x09: 1, 0x0A: 2, 0x0B: 4, 0x0C: 8}

_pack: Callable[[float], bytes] = struct.Struct(">d").pack
_pack_tagged: Callable[[int, float], bytes] = struct.Struct(">Bd").pack
_unpack = struct.Struct(">d").unpack
_INVERT = bytes(255 - byte for byte in range(256))


def encode_key(values: Sequence[Any]) -> bytes:
    """Return the encodings of canonical values, one after the other; a value may be UNSET."""
    return b"".join([encode_value(value) for value in values])


def encode_value(value: Any) -> bytes:
    """Return the encoding of one canonical value or UNSET."""
    kind = type(value)
    if kind is str:
        if "\0" in value:
            return b"\x10" + _escape(value.encode())
        return b"\x10%b\0" % value.encode()
    if kind is int or kind is float:
        # Negating flips the sign bit, which is all that a positive number needs.
        if value > 0:
            return _pack_tagged(_DOUBLE, -value)
        return _encode_other_number(value)
    if value is None:
        return _NULL
    if value is UNSET:
        return _UNDEFINED
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise ArgumentError(f"{kind.__name__} cannot be part of an index key: {value!r}")
    return encoder(value)


def _encode_other_number(value: float) -> bytes:
    number = float(value)
    if math.copysign(1.0, number) > 0:
        return b"\x0d" + (_pack(-number) if number == number else b"\xff" + _pack(number)[1:])
    return b"\x0d" + _pack(number).translate(_INVERT)


def _encode_int64(value: Int64) -> bytes:
    number = int(value)
    if number == 0:
        return b"\x08"
    step = 1 if number > 0 else -1
    for distance, size in enumerate((1, 2, 4, 8), 1):
        bound = 1 << (8 * size - 1)
        if -bound <= number < bound:
            return bytes((_INT_ZERO + step * distance,)) + number.to_bytes(size, "big", signed=True)
    raise InvariantViolation(f"int64 out of range: {number}")


def _escape(data: bytes) -> bytes:
    return data.replace(b"\0", b"\0\xff") + b"\0"


def _encode_object(value: dict[str, Any]) -> bytes:
    parts = [b"\x15"]
    for name in sorted(value):
        parts.append(_escape(name.encode()) if name else b"\0\xff")
        parts.append(encode_value(value[name]))
    parts.append(b"\0")
    return b"".join(parts)


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: _TRUE if value else _FALSE,
    Int64: _encode_int64,
    bytes: lambda value: b"\x11" + _escape(value),
    list: lambda value: b"\x12" + encode_key(value) + b"\0",
    dict: _encode_object,
}


def prefix_successor(prefix: bytes) -> bytes:
    """Return the end of the range of keys that start with the values in `prefix`.

    `prefix` is whole encoded values (or nothing: then the result is greater than every key). The result is
    greater than every key that continues these values, and not greater than any other that sorts after them.
    It is not "the last byte plus one": the text a is 10 61 00, and a followed by a zero is 10 61 00 ff 00,
    which is another value and must lie behind.
    """
    return prefix + b"\xff"


def key_boundaries(key: bytes) -> list[int]:
    """Return the offset at which each encoded value of a key ends; the last one is the length of the key."""
    ends: list[int] = []
    position = 0
    while position < len(key):
        position = _end(key, position)
        ends.append(position)
    return ends


def decode_key(key: bytes) -> list[Any]:
    """Return the values of a key; UNSET for missing fields."""
    values: list[Any] = []
    position = 0
    while position < len(key):
        value, position = _decode(key, position)
        values.append(value)
    return values


def _end(key: bytes, position: int) -> int:
    """Return where the value that starts at `position` ends."""
    tag = key[position]
    if tag == _DOUBLE:
        return position + 9
    if tag in (_STRING, _BYTES):
        return _end_of_text(key, position + 1)
    if tag in _INT_SIZES:
        return position + 1 + _INT_SIZES[tag]
    if tag == _ARRAY:
        position += 1
        while key[position] != 0:
            position = _end(key, position)
        return position + 1
    if tag == _OBJECT:
        return _decode_object(key, position + 1)[1]
    return position + 1


def _end_of_text(key: bytes, position: int) -> int:
    """Return the offset after the 00 that ends an escaped text."""
    while True:
        position = key.index(0, position) + 1
        if key[position : position + 1] != b"\xff":
            return position
        position += 1


def _decode(key: bytes, position: int) -> tuple[Any, int]:
    tag = key[position]
    end = position + 1
    if tag == _ARRAY:
        items: list[Any] = []
        while key[end] != 0:
            item, end = _decode(key, end)
            items.append(item)
        return items, end + 1
    if tag == _OBJECT:
        return _decode_object(key, end)
    end = _end(key, position)
    payload = key[position + 1 : end]
    if tag == _DOUBLE:
        return _decode_double(payload), end
    if tag in _INT_SIZES:
        return Int64(int.from_bytes(payload, "big", signed=True)), end
    if tag in (_STRING, _BYTES):
        raw = payload[:-1].replace(b"\0\xff", b"\0")
        return (raw.decode() if tag == _STRING else raw), end
    fixed = {0x01: UNSET, 0x03: None, 0x0E: False, 0x0F: True}
    if tag not in fixed:
        raise InvariantViolation(f"unknown tag {tag:#04x} in an index key at {position}: {key.hex()}")
    return fixed[tag], end


def _decode_object(key: bytes, position: int) -> tuple[dict[str, Any], int]:
    fields: dict[str, Any] = {}
    while key[position] != 0 or key[position + 1 : position + 2] == b"\xff":
        if key[position] == 0:
            name, position = "", position + 2
        else:
            end = _end_of_text(key, position)
            name, position = key[position : end - 1].replace(b"\0\xff", b"\0").decode(), end
        fields[name], position = _decode(key, position)
    return fields, position + 1


def _decode_double(payload: bytes) -> int | float:
    if payload[0] & 0x80:
        (number,) = _unpack(bytes((payload[0] & 0x7F,)) + payload[1:])
    else:
        (number,) = _unpack(payload.translate(_INVERT))
    return canonical_number(number)
