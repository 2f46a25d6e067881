"""One page of a query, read through a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from convexpy.database._cursors import CursorCipher, fingerprint
from convexpy.database._index_ranges import key_range
from convexpy.database._pages import SPLIT_RECOMMENDED_ITEMS, Journal, PageOptions, PageStatus, page_options
from convexpy.database._scan import Scan
from convexpy.database._usage import Usage
from convexpy.functions import QueryPlan
from convexpy.limits import ARRAY_LENGTH_MAX, DOCUMENT_SIZE_BYTES_MAX
from convexpy.values import decode_document

NEAR_LIMIT = 0.75
"""The share of a read limit, the function's or the page's own, from which a page should be split."""


class PageSource(Protocol):
    """What a page is read from: a transaction."""

    function: str
    charges: Usage

    def prepare(self, plan: QueryPlan) -> tuple[int, int, bytes, bytes] | None:
        """Return tablet, index and range of a query; None if its table does not exist."""
        ...

    def scan(
        self, tablet: int, index: int, lower: bytes, upper: bytes, *, desc: bool, limit: int | None
    ) -> Scan:
        """Read a range in order."""
        ...


def paginate(
    transaction: PageSource, plan: QueryPlan, opts: Mapping[str, Any], journal: Journal, cursors: CursorCipher
) -> dict[str, Any]:
    """Return a page of `plan` and record its end in `journal`. An `endCursor` wins over the journal's."""
    options = page_options(opts, documents_max=transaction.charges.documents_read_max)
    prepared = transaction.prepare(plan)
    # A table that does not exist yet has the ranges it will have: its cursors stay valid when it comes.
    tablet, index, lower, upper = prepared if prepared is not None else (0, 0, *key_range(plan, ()))
    query = fingerprint(transaction.function, plan, lower, upper)
    end_cursor = options.end_cursor if options.end_cursor is not None else journal.given()
    page = _Page(plan, options, desc=plan.order == "desc")
    if end_cursor is not None:
        page.end_at(cursors.open(end_cursor, query))
    at_end = False
    if options.cursor is not None:
        start = cursors.open(options.cursor, query)
        at_end = start is None
        lower, upper = page.start_behind(start, lower, upper)
    if prepared is not None and not at_end:
        lower, upper = page.up_to_end(lower, upper)
        page.read(transaction, tablet, index, lower, upper)
    result = page.result(lambda position: cursors.seal(position, query))
    journal.record(result["continueCursor"])
    return result


class _Page:
    """The documents of a page and the places in the index where they lie."""

    def __init__(self, plan: QueryPlan, options: PageOptions, *, desc: bool) -> None:
        self._plan = plan
        self._options = options
        self._desc = desc
        self._documents: list[dict[str, Any]] = []
        self._keys: list[bytes] = []
        self._has_end = False
        self._end: bytes | None = None
        self._last: bytes | None = None  # the key of the last document read, filtered ones included
        self._passed: list[bytes] = []  # the keys of all documents read
        self._exhausted = True
        self._status: PageStatus = None

    def end_at(self, position: bytes | None) -> None:
        """Read up to a position, and not a number of documents; None is the end of the query."""
        self._has_end = True
        self._end = position

    def start_behind(self, position: bytes | None, lower: bytes, upper: bytes) -> tuple[bytes, bytes]:
        """Return the range behind a cursor's position."""
        if position is None:
            return lower, upper
        self._last = position
        return (lower, position) if self._desc else (position + b"\0", upper)

    def up_to_end(self, lower: bytes, upper: bytes) -> tuple[bytes, bytes]:
        """Return the range up to the end position, which belongs to it."""
        if self._end is None:
            return lower, max(lower, upper)
        if self._desc:
            return min(max(lower, self._end), upper), upper
        return lower, max(lower, min(upper, self._end + b"\0"))

    def read(self, transaction: PageSource, tablet: int, index: int, lower: bytes, upper: bytes) -> None:
        """Read until the page is full, the range exhausted or a scan budget used up."""
        items = None if self._has_end else self._options.items
        hint = None if self._plan.filters else items
        scan = transaction.scan(tablet, index, lower, upper, desc=self._desc, limit=hint)
        self._exhausted = False
        self._fill(scan, transaction.charges, ARRAY_LENGTH_MAX if items is None else items)

    def _fill(self, scan: Scan, charges: Usage, items: int) -> None:
        rows_before, bytes_before = charges.documents_read, charges.bytes_read
        rows_end = min(rows_before + self._options.rows_max, charges.documents_read_max)
        bytes_end = min(
            bytes_before + self._options.bytes_max,
            charges.bytes_read_max - min(DOCUMENT_SIZE_BYTES_MAX, charges.bytes_read_max // 4),
        )
        while self._wants_more(min(items, ARRAY_LENGTH_MAX)):
            # One document at least: a page without any would start the next one where it started itself.
            if self._passed and (charges.documents_read >= rows_end or charges.bytes_read >= bytes_end):
                self._status = "SplitRequired"
                return
            item = scan.next()
            if item is None:
                self._exhausted = True
                break
            if len(self._documents) == ARRAY_LENGTH_MAX:
                self._status = "SplitRequired"
                return
            self._take(item)
        near = (
            charges.documents_read > charges.documents_read_max * NEAR_LIMIT
            or charges.bytes_read > charges.bytes_read_max * NEAR_LIMIT
            or charges.documents_read - rows_before > self._options.rows_max * NEAR_LIMIT
            or charges.bytes_read - bytes_before > self._options.bytes_max * NEAR_LIMIT
        )
        if near or len(self._documents) > SPLIT_RECOMMENDED_ITEMS:
            self._status = "SplitRecommended"

    def _wants_more(self, items: int) -> bool:
        if self._has_end:
            return not self._passed or self._last != self._end
        return len(self._documents) < items

    def _take(self, item: tuple[bytes, str, bytes]) -> None:
        self._last = item[0]
        self._passed.append(item[0])
        document = decode_document(item[2])
        if all(predicate(document) for predicate in self._plan.filters):
            self._documents.append(document)
            self._keys.append(item[0])

    def result(self, cursor: Callable[[bytes | None], str]) -> dict[str, Any]:
        """Return what the function gets; `cursor` makes the cursor of a position."""
        if self._has_end:
            position, is_done = self._end, self._end is None and self._status != "SplitRequired"
        elif self._exhausted:
            position, is_done = None, True
        else:
            position, is_done = self._last, False
        split = self._split(position)
        return {
            "page": self._documents,
            "isDone": is_done,
            "continueCursor": cursor(position),
            "splitCursor": None if split is None else cursor(split),
            "pageStatus": self._status,
        }

    def _split(self, end: bytes | None) -> bytes | None:
        """Return the key at which the page should be split: in its middle; None if it cannot be.

        A page that must be split is, even if the filter left next to nothing of what was read.
        """
        if len(self._keys) > 1:
            return self._keys[(len(self._keys) - 1) // 2]
        if self._status != "SplitRequired":
            return None
        middle = self._passed[(len(self._passed) - 1) // 2]
        return middle if middle != end else None
