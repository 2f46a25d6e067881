"""Document ids.

Format:     base32( vint(table number) || internal id, 16 bytes || footer, 2 bytes ), 31 to 37 characters.
            vint is little-endian base 128; the footer is fletcher16 (modulo 256) of what precedes,
            little endian. The alphabet is Crockford's, in lower case; unused low bits at the end are zero.
Invariant:  decode_id(encode_id(t, i)) == (t, i), and no other text decodes to it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from convexpy.errors import InvariantViolation

if TYPE_CHECKING:
    from convexpy.runtime import RandomBytes


INTERNAL_ID_BYTES = 16
TABLE_NUMBER_MAX = 2**32 - 1

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_TO_PYTHON = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_SHAPE = re.compile(r"[0-9a-hjkmnp-tv-z]{31,37}").fullmatch
_DAY_MS = 86_400_000


def encode_id(table_number: int, internal_id: bytes) -> str:
    """Return the id of a document; the table number is 1 to 2^32 - 1, the internal id has 16 bytes."""
    if not 0 < table_number <= TABLE_NUMBER_MAX or len(internal_id) != INTERNAL_ID_BYTES:
        raise InvariantViolation(f"no id: table {table_number}, {len(internal_id)} bytes")
    body = _vint(table_number) + internal_id
    data = body + _checksum(body)
    digits = (len(data) * 8 + 4) // 5
    padded = digits + digits % 2
    number = int.from_bytes(data, "big") << (padded * 5 - len(data) * 8)
    pairs = _PAIRS
    text = "".join([pairs[(number >> shift) & 1023] for shift in range(padded * 5 - 10, -1, -10)])
    return text[:digits]


def decode_id(text: str) -> tuple[int, bytes] | None:
    """Return (table number, internal id), or None if the text is not an id in its one spelling."""
    return _decode(text) if 31 <= len(text) <= 37 else None


def new_internal_id(random: RandomBytes, now_ms: float) -> bytes:
    """Return 14 random bytes and the number of the day since the epoch."""
    return random.randbytes(14) + (int(now_ms // _DAY_MS) & 0xFFFF).to_bytes(2, "big")


@lru_cache(maxsize=32_768)
def _decode(text: str) -> tuple[int, bytes] | None:
    if _SHAPE(text) is None:
        return None
    size = len(text) * 5 // 8
    unused = len(text) * 5 - size * 8
    number = int(text.translate(_TO_PYTHON), 32)
    data = (number >> unused).to_bytes(size, "big")
    table_number = shift = position = 0
    while True:
        byte = data[position]
        table_number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            break
        if position == 5:
            return None
    if len(data) - position != INTERNAL_ID_BYTES + 2 or not 0 < table_number <= TABLE_NUMBER_MAX:
        return None
    # Other spellings of the same bytes: digits too many, low bits that are set, a number with leading zeros.
    if unused >= 5 or number & ((1 << unused) - 1) or byte == 0 or data[-2:] != _checksum(data[:-2]):
        return None
    return table_number, data[position:-2]


@lru_cache(maxsize=1024)
def _vint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _checksum(body: bytes) -> bytes:
    """Return fletcher16: the sum of the bytes, and the sum of the running sums."""
    return bytes((sum(body) & 0xFF, sum(accumulate(body)) & 0xFF))
