"""Queries at an earlier timestamp: what the commits since have changed, taken back.

The log keeps, with every write, the document and the index keys from before. Going through the commits after a moment from the
newest to the oldest gives each document and key as it was then; a transaction that lays this over the present state, as it
lays its own writes, reads the state of that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from convexpy.database._entries import FILLING, Entry, Write
from convexpy.database._system_tables import SYSTEM_TABLES

DEFINING_TABLETS = frozenset(
    table.tablet
    for table in SYSTEM_TABLES
    if table.name in ("_tables", "_index", "_schemas", "_versions", "_environment_variables")
)
"""A commit that writes here changes how everything else is read: no query looks behind it."""


class HistoryLost(Exception):
    """The state of that moment cannot be had."""


class Rewind(msgspec.Struct, array_like=True, frozen=True):
    """What lies between an earlier moment and log position `row`, taken back.

    `documents` are `(tablet, id, document or None)`, `keys` are `(index, key, id or None)`.
    """

    row: int
    documents: Sequence[tuple[int, str, bytes | None]]
    keys: Sequence[tuple[int, bytes, str | None]]


_decode_entry = msgspec.msgpack.Decoder(Entry).decode
decode_rewind: Callable[[bytes], Rewind] = msgspec.msgpack.Decoder(Rewind).decode


class Undone:
    """What a run of commits has changed, taken back: documents and keys as they were before the first of them."""

    def __init__(self, entries: Iterable[bytes]) -> None:
        """Go through entries of the log, the newest first.

        Raises:
            HistoryLost: one of them changed tables, indexes, code or variables, filled an import, or was written by a
                version that kept no documents from before.
        """
        self.documents: dict[tuple[int, str], bytes | None] = {}
        self.keys: dict[tuple[int, bytes], str | None] = {}
        for entry in entries:
            for transaction in reversed(_decode_entry(entry).transactions):
                if transaction.function == FILLING:
                    raise HistoryLost
                for write in transaction.writes:
                    self._undo(write)

    def _undo(self, write: Write) -> None:
        tablet, id = write.tablet, write.id
        existed = any(old is not None for _, old, _ in write.keys)
        if tablet in DEFINING_TABLETS or (existed and write.before is None):
            raise HistoryLost
        self.documents[tablet, id] = write.before
        self.keys[-tablet, id.encode()] = id if existed else None
        for index, old, new in write.keys:
            if old == new:
                continue
            if new is not None:
                self.keys[index, new] = None
            if old is not None:
                self.keys[index, old] = id

    def then(self, older: Undone) -> Undone:
        """Take back an older run of commits, too."""
        self.documents.update(older.documents)
        self.keys.update(older.keys)
        return self

    def encoded(self, row: int) -> bytes:
        """Return the `Rewind` from log position `row`."""
        documents = [(tablet, id, document) for (tablet, id), document in self.documents.items()]
        keys = [(index, key, id) for (index, key), id in self.keys.items()]
        return msgspec.msgpack.encode(Rewind(row, documents, keys))
