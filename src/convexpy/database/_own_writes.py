"""What a transaction has written so far, with a way back.

A sub-transaction is a mark in the list of changes: merging forgets the mark, dropping undoes what came
after it. So reads ask one layer, however deep the calls are nested.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any

import msgspec

from convexpy.database._entries import Keys, Write
from convexpy.database._history import Rewind
from convexpy.database._memory import MISSING

SORT_FROM = 8
"""From so many new keys on, sorting is cheaper than finding the place of each."""


class OwnDocument(msgspec.Struct, frozen=True, gc=False):
    """A document as the transaction has it.

    `before` are its keys at the start, None if it was not there, and `stored` is the document at the start.
    """

    document: bytes | None
    before: Keys | None
    keys: Keys | None
    stored: bytes | None = None


class OwnKeys:
    """The changed keys of one index, in order; None as id hides the key below.

    Keys get their place when somebody reads: most indexes of a transaction that only writes are never read.
    """

    __slots__ = ("_added", "_order", "ids")

    def __init__(self) -> None:
        self._order: list[bytes] = []
        self._added: list[bytes] = []
        self.ids: dict[bytes, str | None] = {}

    def put(self, key: bytes, id: str | None) -> None:
        """Set the id of a key."""
        if key not in self.ids:
            self._added.append(key)
        self.ids[key] = id

    def remove(self, key: bytes) -> None:
        """Forget a key."""
        order = self._ordered()
        del order[bisect_left(order, key)]
        del self.ids[key]

    def _ordered(self) -> list[bytes]:
        order, added = self._order, self._added
        if len(added) > SORT_FROM:
            order += added
            order.sort()
            added.clear()
        while added:
            insort(order, added.pop())
        return order

    def first(self, lower: bytes, upper: bytes, *, desc: bool) -> bytes | None:
        """Return the first key of a range, or None."""
        order = self._ordered()
        at = bisect_left(order, upper) - 1 if desc else bisect_left(order, lower)
        if 0 <= at < len(order) and lower <= order[at] < upper:
            return order[at]
        return None


class OwnWrites:
    """Documents and keys written by one transaction, its merged sub-transactions included."""

    def __init__(self) -> None:
        self.documents: dict[int, dict[str, OwnDocument]] = {}
        self.keys: dict[int, OwnKeys] = {}
        self._changes: list[tuple[Any, Any, Any]] | None = None  # kept from the first mark on

    def put(self, tablet: int, id: str, own: OwnDocument, current: Keys | None) -> None:
        """Set a document; `current` are the keys under which it is found until now."""
        documents = self.documents.get(tablet)
        if documents is None:
            documents = self.documents[tablet] = {}
        if self._changes is not None:
            self._changes.append((documents, id, documents.get(id, MISSING)))
        documents[id] = own
        if own.keys is current:
            return
        if current is None:
            self._put_key(-tablet, id.encode(), id)
        elif own.keys is None:
            self._put_key(-tablet, id.encode(), None)
        for index, old, new in _changed_keys(current, own.keys):
            if old != new:
                if old is not None:
                    self._put_key(index, old, None)
                if new is not None:
                    self._put_key(index, new, id)

    def _put_key(self, index: int, key: bytes, id: str | None) -> None:
        keys = self.keys.get(index)
        if keys is None:
            keys = self.keys[index] = OwnKeys()
        if self._changes is not None:
            self._changes.append((keys, key, keys.ids.get(key, MISSING)))
        keys.put(key, id)

    def rewind(self, rewind: Rewind) -> None:
        """Lay the state of an earlier moment over the present one, before anything is read."""
        for tablet, id, document in rewind.documents:
            self.documents.setdefault(tablet, {})[id] = OwnDocument(document, None, None)
        for index, key, found in rewind.keys:
            self._put_key(index, key, found)

    def mark(self) -> int:
        """Return the place to which `undo` can go back."""
        if self._changes is None:
            self._changes = []
        return len(self._changes)

    def undo(self, mark: int) -> None:
        """Take back everything after `mark`."""
        changes = self._changes or []
        while len(changes) > mark:
            holder, key, before = changes.pop()
            if isinstance(holder, OwnKeys):
                if before is MISSING:
                    holder.remove(key)
                else:
                    holder.put(key, before)
            elif before is MISSING:
                del holder[key]
            else:
                holder[key] = before

    def writes(self) -> Iterator[Write]:
        """Yield the last state of every document written.

        What came and went inside the transaction is left out.
        """
        for tablet, documents in self.documents.items():
            for id, own in documents.items():
                if own.before is not None or own.keys is not None:
                    yield Write(tablet, id, own.document, _changed_keys(own.before, own.keys), own.stored)


def _changed_keys(before: Keys | None, after: Keys | None) -> Keys:
    """Return `(index, old, new)` for every index of either side."""
    if before is None:
        return [(index, None, new) for index, _, new in after or ()]
    if before is after:
        return before
    old = {index: key for index, key, _ in before}
    new = {index: key for index, _, key in after or ()}
    return [(index, old.get(index), new.get(index)) for index in {**old, **new}]
