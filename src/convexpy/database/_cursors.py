"""Cursors of paginated queries.

Format:  base64url (no padding) of JSON `{"p": position, "f": fingerprint, "c": checksum}`. The position is
the index key of the last document passed, base64, or null for the end of the query. The checksum is keyed,
so a client cannot make up positions. Valid across restarts and after the document is gone: it is a place in
the index, not a document.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from types import CodeType
from typing import Any

import msgspec

from convexpy.errors import ConvexError
from convexpy.functions._host import QueryPlan

__all__ = ["InvalidCursor", "decode_cursor", "encode_cursor", "fingerprint"]

_TEXT = (
    "InvalidCursor: Tried to run a query starting from a cursor, "
    "but it looks like this cursor is from a different query."
)


class InvalidCursor(ConvexError):
    """The cursor belongs to another query, or is none.

    Clients that load page by page start over when they see it.
    """

    def __init__(self) -> None:
        super().__init__({"isConvexSystemError": True, "paginationError": "InvalidCursor"})

    def __str__(self) -> str:
        return _TEXT


class _Cursor(msgspec.Struct):
    p: bytes | None
    f: str
    c: str


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(_Cursor).decode


def fingerprint(plan: QueryPlan, lower: bytes, upper: bytes) -> str:
    """Return what tells this query from others: table, index, range, order, and the code of its filters."""
    parts: list[Any] = [plan.system, plan.table, plan.index, lower, upper, plan.order]
    parts += [_code_name(predicate) for predicate in plan.filters]
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=9).hexdigest()


def _code_name(predicate: Callable[[Any], object]) -> list[Any]:
    code = getattr(predicate, "__code__", None)
    if not isinstance(code, CodeType):
        return [type(predicate).__module__, type(predicate).__qualname__]
    # Not the values it closes over: they may be anything. The position is a right one whatever the filter.
    constants = [constant for constant in code.co_consts if isinstance(constant, str | int | float | None)]
    return [code.co_qualname, code.co_code, code.co_names, constants]


def encode_cursor(position: bytes | None, query: str, key: bytes) -> str:
    """Return the cursor behind the index key `position`, or at the end (None)."""
    cursor = _encode(_Cursor(position, query, _checksum(position, query, key)))
    return base64.urlsafe_b64encode(cursor).rstrip(b"=").decode()


def decode_cursor(text: str, query: str, key: bytes) -> bytes | None:
    """Return the position of a cursor.

    Raises:
        InvalidCursor: it was not made by `encode_cursor` for this query, with this key.
    """
    try:
        cursor = _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidCursor from error
    if cursor.f != query or not hmac.compare_digest(cursor.c, _checksum(cursor.p, query, key)):
        raise InvalidCursor
    return cursor.p


def _checksum(position: bytes | None, query: str, key: bytes) -> str:
    signed = b"end" if position is None else b"key" + position
    return hashlib.blake2b(query.encode() + signed, key=key[:64], digest_size=9).hexdigest()
