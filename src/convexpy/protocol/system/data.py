"""Documents and tables: what the official dashboard and command line ask for, and what `convexpy data` does."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document

Order = Literal["asc", "desc"]


class Page(msgspec.Struct, rename="camel", kw_only=True):
    """A page of documents, as `paginate` returns it."""

    page: list[Document]
    is_done: bool
    continue_cursor: str
    split_cursor: str | UnsetType | None = UNSET
    page_status: str | UnsetType | None = UNSET


NO_DOCUMENTS = Page(page=[], is_done=True, continue_cursor="end")


# Of the official tools


class ListTableNames(SystemQuery[Page], path="_system/cli/tables", operation="data:view"):
    """The names of all user tables, as one page of `{name}`."""


class ReadTable(SystemQuery[Page], path="_system/cli/tableData", operation="data:view"):
    """A page of documents in the order of their creation."""

    table: str
    pagination_opts: ConvexObject
    order: Order | None = None


class CountTable(SystemQuery[int], path="_system/cli/tableSize", operation="data:view"):
    """The number of documents of a table."""

    table_name: str


class WatchTable(SystemQuery[float], path="_system/cli/queryTable", operation="data:view"):
    """A new number whenever the table changes."""

    table_name: str


class ScanTable(SystemQuery[list[Document]], path="_system/frontend/listTableScan", operation="data:view"):
    """The newest documents of a table."""

    table: str
    limit: int = 100


class AddedDocuments(msgspec.Struct):
    """What the official tools read after adding documents."""

    success: bool = True


class AddDocuments(
    SystemMutation[AddedDocuments], path="_system/frontend/addDocument", operation="data:write"
):
    """Insert documents; one that does not fit the schema refuses them all."""

    table: str
    documents: list[Document]


class ClearedPage(msgspec.Struct, rename="camel"):
    """How many documents were deleted, and whether there are more."""

    deleted: int
    has_more: bool
    continue_cursor: str = ""


class ClearTablePage(
    SystemMutation[ClearedPage], path="_system/frontend/clearTablePage", operation="data:write"
):
    """Delete a page of documents, oldest first."""

    table_name: str


# Of `convexpy data`


class Bound(msgspec.Struct, frozen=True):
    """One end of a range of an index's field."""

    field: str
    value: Any
    inclusive: bool


class Selection(msgspec.Struct, kw_only=True):
    """Documents of a table: through an index, and where a condition holds."""

    table: str = ""
    order: Order | None = None
    index: str | None = None
    equal: list[tuple[str, Any]] = []
    lower: Bound | None = None
    upper: Bound | None = None
    where: str | None = None


class ReadPage(SystemQuery[Page], Selection, path="_system/data:page", operation="data:view", rename="camel"):
    """A page of documents of a selection; a page that ends at the limit of documents looked at is not done."""

    pagination_opts: ConvexObject


class FoundDocument(msgspec.Struct):
    """A document and the name of its table."""

    table: str
    document: Document


class GetDocument(SystemQuery[FoundDocument | None], path="_system/data:get", operation="data:view"):
    """The document of an id."""

    id: str


class InsertDocuments(SystemMutation[list[str]], path="_system/data:insert", operation="data:write"):
    """Insert documents into a table; the result are their ids."""

    table: str
    documents: list[Document]


class PatchDocument(SystemMutation[None], path="_system/data:patch", operation="data:write"):
    """Set the fields of `set` and remove those of `unset`."""

    id: str
    set: ConvexObject = {}
    unset: list[str] = []


class DeletedDocuments(msgspec.Struct, rename="camel"):
    """How many documents were deleted, and where to go on if that was a page of them."""

    deleted: int
    is_done: bool
    continue_cursor: str | UnsetType = UNSET


class DeleteDocuments(
    SystemMutation[DeletedDocuments], Selection, path="_system/data:delete", operation="data:write"
):
    """Delete documents by `ids`, all of them or none, or a page of those that a selection has."""

    ids: list[str] | None = None
    cursor: str | None = None
