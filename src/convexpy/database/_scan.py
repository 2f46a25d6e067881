"""Reading an index range step by step.

A scan holds a position, never an open cursor: between two steps the transaction may write, open and drop
sub-transactions, or forget the scan. It reads what lies below the transaction in chunks and asks the own
writes at each step, so what is written ahead is met and what was passed does not come again.
"""

from __future__ import annotations

from convexpy.database._own_writes import OwnWrites
from convexpy.database._snapshot import Item, Snapshot
from convexpy.database._usage import Usage
from convexpy.database.read_set import ReadRange

CHUNK_MAX = 256
CHUNK_FIRST = 16


class Scan:
    """Documents of `[lower, upper)` of one index, in order.

    `read` is the part of the read set that grows with it.
    """

    __slots__ = (
        "_buffer",
        "_chunk",
        "_desc",
        "_index",
        "_lower",
        "_own",
        "_read",
        "_rest",
        "_store",
        "_tablet",
        "_upper",
        "_usage",
    )

    def __init__(
        self,
        store: Snapshot,
        own: OwnWrites,
        usage: Usage,
        read: ReadRange,
        *,
        tablet: int,
        lower: bytes,
        upper: bytes,
        desc: bool,
        limit: int | None = None,
    ) -> None:
        self._store = store
        self._own = own
        self._usage = usage
        self._read = read
        self._index = read.index
        self._tablet = tablet
        self._lower = lower
        self._upper = upper
        self._desc = desc
        self._chunk = CHUNK_FIRST if limit is None else max(1, min(limit, CHUNK_MAX))
        self._buffer: list[Item] = []  # the next one last
        self._rest: bytes | None = upper if desc else lower

    def next(self) -> Item | None:
        """Return the next `(key, id, document)`, or None at the end of the range.

        Read set and usage follow.
        """
        own = self._own
        while True:
            while not self._buffer and self._rest is not None:
                self._fetch(self._rest)
            if self._buffer and self._index not in own.keys and self._tablet not in own.documents:
                # The transaction has written nothing here.
                item = self._buffer.pop()
                self._pass(item[0])
                self._usage.read(len(item[2]))
                return item
            key, id = self._own_key()
            if self._buffer:
                below = self._buffer[-1]
                if key is None or (below[0] > key if self._desc else below[0] < key):
                    self._buffer.pop()
                    return self._deliver(below)
                if key == below[0]:
                    self._buffer.pop()
            if key is None:
                self._finish()
                return None
            if id is None:
                self._pass(key)
            else:
                document = self._own.documents[self._tablet][id].document
                assert document is not None  # a live key has a document
                return self._deliver((key, id, document))

    def _own_key(self) -> tuple[bytes | None, str | None]:
        keys = self._own.keys.get(self._index)
        if keys is None:
            return None, None
        key = keys.first(self._lower, self._upper, desc=self._desc)
        return key, keys.ids[key] if key is not None else None

    def _fetch(self, rest: bytes) -> None:
        lower, upper = (self._lower, rest) if self._desc else (rest, self._upper)
        self._buffer, self._rest = self._store.chunk(
            self._index, self._tablet, lower, upper, desc=self._desc, limit=self._chunk
        )
        self._buffer.reverse()
        self._chunk = min(self._chunk * 2, CHUNK_MAX)

    def _deliver(self, item: Item) -> Item:
        key, id, document = item
        self._pass(key)
        own = self._own.documents.get(self._tablet)
        if own is not None and id in own:
            newer = own[id].document
            assert newer is not None  # its key would be hidden
            document = newer
            item = (key, id, document)
        self._usage.read(len(document))
        return item

    def _pass(self, key: bytes) -> None:
        """Go behind a key: it was read."""
        if self._desc:
            self._upper = self._read.lower = key
        else:
            self._lower = self._read.upper = key + b"\0"

    def _finish(self) -> None:
        """The range is exhausted: all of it was read."""
        if self._desc:
            self._read.lower = min(self._read.lower, self._lower)
        else:
            self._read.upper = max(self._read.upper, self._upper)
