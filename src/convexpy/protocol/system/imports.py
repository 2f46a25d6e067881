"""Imports: the state that tools read, and the transactions that make one."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class GetImport(SystemQuery[Document | None]):
    """An import."""

    path: ClassVar[str] = "_system/cli/queryImport"
    operation: ClassVar[Operation | None] = "data:view"
    import_id: str


class ListImports(SystemQuery[list[Document]]):
    """The newest imports."""

    path: ClassVar[str] = "_system/cli/queryImport:list"
    operation: ClassVar[Operation | None] = "data:view"


class CreateImport(SystemMutation[str]):
    """Make the document of an import whose file has arrived; the result is its id."""

    path: ClassVar[str] = "_system/imports:create"
    described: Document


class UpdateImport(SystemMutation[bool]):
    """Change an import that is in one of the states `of`; the result says whether it was."""

    path: ClassVar[str] = "_system/imports:update"
    id: str
    of: list[str]
    fields: ConvexObject


class ImportedTable(msgspec.Struct):
    """A table of the file, and the number that ids in it have, if any."""

    name: str
    number: int | None


class TableRoom(msgspec.Struct):
    """Where the documents of a table go; `insert`: they are added to the table as it is."""

    number: int
    tablet: int
    indexes: list[list[str]]
    insert: bool


class ImportRoom(msgspec.Struct):
    """Room for every imported table, the tables that will be empty, and the numbers of all tables as they will be."""

    tables: dict[str, TableRoom]
    cleared: list[str]
    numbers: dict[str, int]


class BeginImport(SystemMutation[ImportRoom]):
    """Make hidden tablets for what is to be replaced."""

    path: ClassVar[str] = "_system/imports:begin"
    id: str
    mode: str
    tables: list[ImportedTable]


class ListHiddenTablets(SystemMutation[list[int]]):
    """The hidden tablets of an import."""

    path: ClassVar[str] = "_system/imports:hidden"
    id: str


class ActiveTablet(msgspec.Struct):
    """A table and its tablet."""

    name: str
    tablet: int


class ListActiveTablets(SystemMutation[list[ActiveTablet]]):
    """Every active user table, and `_storage`."""

    path: ClassVar[str] = "_system/imports:tablets"


class FillTablet(SystemMutation[None]):
    """Put a prepared batch into a hidden tablet."""

    path: ClassVar[str] = "_system/imports:fill"
    tablet: int
    file: str
    offset: int
    length: int


class AppendToTable(SystemMutation[None]):
    """Add a prepared batch to a table, as mutations would."""

    path: ClassVar[str] = "_system/imports:insert"
    table: str
    file: str
    offset: int
    length: int


class SwapTables(SystemMutation[None]):
    """Make an import visible.

    `tables` lists the hidden tablets, `files` names the list of stored files or is None, `schema` is the schema that the
    documents were checked against, as it is stored; `timestamp` is nanoseconds in decimal.
    """

    path: ClassVar[str] = "_system/imports:swap"
    id: str
    mode: str
    schema: str
    tables: list[int]
    files: str | None
    rows: int
    timestamp: str


class AbortImport(SystemMutation[bool]):
    """Give up the hidden tablets of an import, and set `fields` if it has not ended; the result says if there were any."""

    path: ClassVar[str] = "_system/imports:abort"
    id: str
    fields: ConvexObject


class FailInterruptedImports(SystemMutation[bool]):
    """Fail what was under way when the server ended; the result says whether there is something to sweep."""

    path: ClassVar[str] = "_system/imports:interrupted"
