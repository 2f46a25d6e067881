"""Documents and tables: what the official dashboard and command line ask for, and what `convexpy data` does."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
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


class ListTableNames(SystemQuery[Page]):
    """The names of all user tables, as one page of `{name}`."""

    path: ClassVar[str] = "_system/cli/tables"
    operation: ClassVar[Operation | None] = "data:view"


class ReadTable(SystemQuery[Page]):
    """A page of documents in the order of their creation."""

    path: ClassVar[str] = "_system/cli/tableData"
    operation: ClassVar[Operation | None] = "data:view"
    table: str
    pagination_opts: ConvexObject
    order: Order | None = None


class CountTable(SystemQuery[int]):
    """The number of documents of a table."""

    path: ClassVar[str] = "_system/cli/tableSize"
    operation: ClassVar[Operation | None] = "data:view"
    table_name: str


class WatchTable(SystemQuery[float]):
    """A new number whenever the table changes."""

    path: ClassVar[str] = "_system/cli/queryTable"
    operation: ClassVar[Operation | None] = "data:view"
    table_name: str


class ScanTable(SystemQuery[list[Document]]):
    """The newest documents of a table."""

    path: ClassVar[str] = "_system/frontend/listTableScan"
    operation: ClassVar[Operation | None] = "data:view"
    table: str
    limit: int = 100


class AddedDocuments(msgspec.Struct):
    """What the official tools read after adding documents."""

    success: bool = True


class AddDocuments(SystemMutation[AddedDocuments]):
    """Insert documents; one that does not fit the schema refuses them all."""

    path: ClassVar[str] = "_system/frontend/addDocument"
    operation: ClassVar[Operation | None] = "data:write"
    table: str
    documents: list[Document]


class ClearedPage(msgspec.Struct, rename="camel"):
    """How many documents were deleted, and whether there are more."""

    deleted: int
    has_more: bool
    continue_cursor: str = ""


class ClearTablePage(SystemMutation[ClearedPage]):
    """Delete a page of documents, oldest first."""

    path: ClassVar[str] = "_system/frontend/clearTablePage"
    operation: ClassVar[Operation | None] = "data:write"
    table_name: str


# Of `convexpy data`


class StoredIndex(msgspec.Struct):
    """An index of a table; `state` is `building` or `ready`."""

    name: str
    fields: list[str]
    state: str


class StoredTable(msgspec.Struct):
    """A user table and its indexes."""

    name: str
    number: int
    tablet: int
    indexes: list[StoredIndex]


class DescribeTables(SystemQuery[list[StoredTable]]):
    """Every user table."""

    path: ClassVar[str] = "_system/data:tables"
    operation: ClassVar[Operation | None] = "data:view"


class FieldBound(msgspec.Struct):
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
    lower: FieldBound | None = None
    upper: FieldBound | None = None
    where: str | None = None


class ReadPage(SystemQuery[Page], Selection, rename="camel"):
    """A page of documents of a selection; a page that ends at the limit of documents looked at is not done."""

    path: ClassVar[str] = "_system/data:page"
    operation: ClassVar[Operation | None] = "data:view"
    pagination_opts: ConvexObject


class FoundDocument(msgspec.Struct):
    """A document and the name of its table."""

    table: str
    document: Document


class GetDocument(SystemQuery[FoundDocument | None]):
    """The document of an id."""

    path: ClassVar[str] = "_system/data:get"
    operation: ClassVar[Operation | None] = "data:view"
    id: str


class InsertDocuments(SystemMutation[list[str]]):
    """Insert documents into a table; the result are their ids."""

    path: ClassVar[str] = "_system/data:insert"
    operation: ClassVar[Operation | None] = "data:write"
    table: str
    documents: list[Document]


class PatchDocument(SystemMutation[None]):
    """Set the fields of `set` and remove those of `unset`."""

    path: ClassVar[str] = "_system/data:patch"
    operation: ClassVar[Operation | None] = "data:write"
    id: str
    set: ConvexObject = {}
    unset: list[str] = []


class DeletedDocuments(msgspec.Struct, rename="camel"):
    """How many documents were deleted, and where to go on if that was a page of them."""

    deleted: int
    is_done: bool
    continue_cursor: str | UnsetType = UNSET


class DeleteDocuments(SystemMutation[DeletedDocuments], Selection):
    """Delete documents by `ids`, all of them or none, or a page of those that a selection has."""

    path: ClassVar[str] = "_system/data:delete"
    operation: ClassVar[Operation | None] = "data:write"
    ids: list[str] | None = None
    cursor: str | None = None
