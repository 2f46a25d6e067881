"""Imports: the state that tools read, and the transactions that make one."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class GetImport(SystemQuery[Document | None], path="_system/cli/queryImport", operation="data:view"):
    """An import."""

    import_id: str


class ListImports(SystemQuery[list[Document]], path="_system/cli/queryImport:list", operation="data:view"):
    """The newest imports."""


class CreateImport(SystemMutation[str], path="_system/imports:create"):
    """Make the document of an import whose file has arrived; the result is its id."""

    described: Document


class UpdateImport(SystemMutation[bool], path="_system/imports:update"):
    """Change an import that is in one of the states `of`; the result says whether it was."""

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
    """Room for every imported table, the tables that will be empty, the numbers of all tables as they will be.

    `hidden` are the tablets that take the places of others.
    """

    tables: dict[str, TableRoom]
    cleared: list[str]
    numbers: dict[str, int]
    hidden: list[int]


class BeginImport(SystemMutation[ImportRoom], path="_system/imports:begin"):
    """Make hidden tablets for what is to be replaced."""

    id: str
    mode: str
    tables: list[ImportedTable]


class FillTablet(SystemMutation[None], path="_system/imports:fill"):
    """Put a prepared batch into a hidden tablet."""

    tablet: int
    file: str
    offset: int
    length: int


class AppendToTable(SystemMutation[None], path="_system/imports:insert"):
    """Add a prepared batch to a table, as mutations would."""

    table: str
    file: str
    offset: int
    length: int


class SwapTables(SystemMutation[None], path="_system/imports:swap"):
    """Make an import visible.

    `tables` lists the hidden tablets, `files` names the list of stored files or is None, `schema` is the schema that the
    documents were checked against, as it is stored; `done` is the state of the import then.
    """

    id: str
    mode: str
    schema: str
    tables: list[int]
    files: str | None
    done: ConvexObject


class AbortImport(SystemMutation[bool], path="_system/imports:abort"):
    """Give up the hidden tablets of an import, and set `fields` if it has not ended; the result says if there were any."""

    id: str
    fields: ConvexObject


class FailInterruptedImports(SystemMutation[bool], path="_system/imports:interrupted"):
    """Fail what was under way when the server ended; the result says whether there is something to sweep."""
