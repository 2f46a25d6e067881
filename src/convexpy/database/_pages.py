"""Pagination: one page of a query, and the journal that keeps the borders of pages where they are.

The first run of a page records where it ended. A re-run gets that back and reads everything up to it: rows
that come or go inside the page make it longer or shorter, and it never overlaps with the next page or
leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.errors import ArgumentError
from convexpy.limits import ARRAY_LENGTH_MAX

SPLIT_RECOMMENDED_ITEMS = ARRAY_LENGTH_MAX * 3 // 4
PageStatus = str | None


@dataclass(frozen=True, slots=True)
class PageOptions:
    """`paginationOpts`, checked. `has_end` tells "up to the end of the query" (None) from no end at all."""

    items: int
    cursor: str | None
    end_cursor: str | None
    rows_max: int
    bytes_max: int


def page_options(opts: Mapping[str, Any], *, documents_max: int) -> PageOptions:
    """Return the options of a `paginate` call.

    Raises:
        ArgumentError: one of them makes no sense.
    """
    items = _number(opts, "numItems")
    if items is None or items < 1:
        raise ArgumentError(
            "Must request at least 1 document while paginating", code="NoDocumentsForPagination"
        )
    if items > documents_max:
        raise ArgumentError(
            f"Pagination limit of {documents_max} documents exceeded: numItems is {items}",
            code="PageSizeTooLarge",
        )
    rows = _number(opts, "maximumRowsRead")
    size = _number(opts, "maximumBytesRead")
    if (rows is not None and rows < 1) or (size is not None and size < 1):
        raise ArgumentError("maximumRowsRead and maximumBytesRead must be greater than 0")
    return PageOptions(
        items,
        _text(opts, "cursor"),
        _text(opts, "endCursor"),
        rows if rows is not None else documents_max,
        size if size is not None else 2**62,
    )


def _number(opts: Mapping[str, Any], name: str) -> int | None:
    value = opts.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ArgumentError(f"paginationOpts.{name} must be a number, found {value!r}")
    return int(min(value, 2**53))


def _text(opts: Mapping[str, Any], name: str) -> str | None:
    value = opts.get(name)
    if value is not None and not isinstance(value, str):
        raise ArgumentError(f"paginationOpts.{name} must be a string or null, found {value!r}")
    return value


class Journal:
    """The end cursors of the `paginate` calls of one run, in the order of the calls.

    Its text is the cursor itself for one call, a JSON list of cursors for several.
    """

    def __init__(self, text: str | None = None) -> None:
        self._given = _cursors(text)
        self._recorded: list[str] = []

    def given(self) -> str | None:
        """Return the end cursor that an earlier run recorded for the call that comes now."""
        place = len(self._recorded)
        return self._given[place] if place < len(self._given) else None

    def record(self, cursor: str) -> None:
        """Keep the end cursor of the call that has just been made."""
        self._recorded.append(cursor)

    def text(self) -> str | None:
        """Return the journal for the next run; None if nothing was paginated."""
        if len(self._recorded) > 1:
            return msgspec.json.encode(self._recorded).decode()
        return self._recorded[0] if self._recorded else None


def _cursors(text: str | None) -> list[str]:
    if text is None:
        return []
    if not text.startswith("["):
        return [text]
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        return [text]  # refused as a cursor when it is used
