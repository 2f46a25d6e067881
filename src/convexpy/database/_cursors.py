"""Cursors of paginated queries.

Format:  base64url (no padding) of AES-256-SIV over the position, padded to a power of two, with the query's fingerprint as
associated data. The position is a zero byte for the end of the query, else a one byte and the index key of the last
document passed; the padding is 0x80 and zeros. Keys hold values of documents that a filter or a row rule may hide, so a
client must neither read nor make up positions. SIV, because equal positions have to give equal cursors: subscriptions are
shared and compared by them. Valid across restarts and after the document is gone: it is a place in the index, not a
document.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.errors import ConvexError
from convexpy.functions import QueryPlan

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

LENGTH_MIN = 64
"""Bytes of the shortest position, padded: room for a creation time and an id."""
_END, _BEHIND, _PADDING = b"\0", b"\1", b"\x80"

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


def fingerprint(function: str, plan: QueryPlan, lower: bytes, upper: bytes) -> bytes:
    """Return what tells this query from others: function, table, index, range, order, and the code of its filters."""
    parts: list[Any] = [function, plan.system, plan.table, plan.index, lower, upper, plan.order]
    parts += [_code_name(predicate) for predicate in plan.filters]
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()


def _code_name(predicate: Callable[[Any], object]) -> list[Any]:
    code = getattr(predicate, "__code__", None)
    if not isinstance(code, CodeType):
        return [type(predicate).__module__, type(predicate).__qualname__]
    # Not the values it closes over: they may be anything. The position is a right one whatever the filter.
    constants = [constant for constant in code.co_consts if isinstance(constant, str | int | float | None)]
    return [code.co_qualname, code.co_code, code.co_names, constants]


class CursorCipher:
    """Makes cursors of positions and reads them, with one key of 64 bytes; without one, with a random key."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or os.urandom(64)

    @cached_property
    def _cipher(self) -> AESSIV:
        # Imported by the first page: the library is a fifth of the memory of an executor that never paginates.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(self._key)

    def seal(self, position: bytes | None, query: bytes) -> str:
        """Return the cursor behind the index key `position`, or at the end (None), of the query with this fingerprint."""
        marked = _END if position is None else _BEHIND + position
        # The length of a key tells the length of what is in it.
        length = max(LENGTH_MIN, 1 << len(marked).bit_length())
        padded = marked + _PADDING + bytes(length - len(marked) - 1)
        return base64.urlsafe_b64encode(self._cipher.encrypt(padded, [query])).rstrip(b"=").decode()

    def open(self, text: str, query: bytes) -> bytes | None:
        """Return the position of a cursor.

        Raises:
            InvalidCursor: it was not made by `seal` for this query, with this key.
        """
        from cryptography.exceptions import InvalidTag

        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            marked = self._cipher.decrypt(sealed, [query]).rstrip(b"\0")[:-1]
        except (ValueError, InvalidTag) as error:
            raise InvalidCursor from error
        return None if marked == _END else marked[1:]
