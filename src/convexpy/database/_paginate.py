"""One page of a query, read through a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from convexpy.database._cursors import decode_cursor, encode_cursor, fingerprint
from convexpy.database._index_ranges import key_range
from convexpy.database._pages import SPLIT_RECOMMENDED_ITEMS, Journal, PageOptions, PageStatus, page_options
from convexpy.functions._host import QueryPlan
from convexpy.values import decode_document

if TYPE_CHECKING:
    from convexpy.database._reading import Reading

__all__ = ["paginate"]

NEAR_LIMIT = 0.75
"""The share of a read limit from which a page should be split."""


def paginate(
    transaction: Reading, plan: QueryPlan, opts: Mapping[str, Any], journal: Journal, key: bytes
) -> dict[str, Any]:
    """Return a page of `plan` and record its end in `journal`. An `endCursor` wins over the journal's."""
    options = page_options(opts, documents_max=transaction.charges.documents_read_max)
    prepared = transaction.prepare(plan)
    # A table that does not exist yet has the ranges it will have: its cursors stay valid when it comes.
    tablet, index, lower, upper = prepared if prepared is not None else (0, 0, *key_range(plan, ()))
    query = fingerprint(plan, lower, upper)
    end_cursor = options.end_cursor if options.end_cursor is not None else journal.given()
    page = _Page(plan, options, desc=plan.order == "desc")
    if end_cursor is not None:
        page.end_at(decode_cursor(end_cursor, query, key))
    at_end = False
    if options.cursor is not None:
        start = decode_cursor(options.cursor, query, key)
        at_end = start is None
        lower, upper = page.start_behind(start, lower, upper)
    if prepared is not None and not at_end:
        lower, upper = page.up_to_end(lower, upper)
        page.read(transaction, tablet, index, lower, upper)
    result = page.result(lambda position: encode_cursor(position, query, key))
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

    def read(self, transaction: Reading, tablet: int, index: int, lower: bytes, upper: bytes) -> None:
        """Read until the page is full, the range exhausted or a scan budget used up."""
        items = None if self._has_end else self._options.items
        hint = None if self._plan.filters else items
        scan = transaction.scan(tablet, index, lower, upper, desc=self._desc, limit=hint)
        charges = transaction.charges
        rows_end = charges.documents_read + self._options.rows_max
        bytes_end = charges.bytes_read + self._options.bytes_max
        rows_near = charges.documents_read_max * NEAR_LIMIT
        bytes_near = charges.bytes_read_max * NEAR_LIMIT
        self._exhausted = False
        while items is None or len(self._documents) < items:
            if charges.documents_read >= rows_end or charges.bytes_read >= bytes_end:
                self._status = "SplitRequired"
                return
            item = scan.next()
            if item is None:
                self._exhausted = True
                break
            self._take(item)
        near = charges.documents_read > rows_near or charges.bytes_read > bytes_near
        if near or len(self._documents) > SPLIT_RECOMMENDED_ITEMS:
            self._status = "SplitRecommended"

    def _take(self, item: tuple[bytes, str, bytes]) -> None:
        self._last = item[0]
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
        split = cursor(self._keys[(len(self._keys) - 1) // 2]) if len(self._keys) > 1 else None
        return {
            "page": self._documents,
            "isDone": is_done,
            "continueCursor": cursor(position),
            "splitCursor": split,
            "pageStatus": self._status,
        }
