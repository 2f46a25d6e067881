"""`dataModel.d.ts`: documents, ids and indexes of every table; `server.d.ts`: types by which code speaks of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from convexpy.project.codegen.typescript._layout import block, imports, key, quoted
from convexpy.project.codegen.typescript._types import Types, document, union_of, variants
from convexpy.protocol.app_description import AnyIndex, SearchIndexDescription, VectorIndexDescription
from convexpy.schema.data_model import DataModel, Described, Table

U = TypeVar("U", bound=AnyIndex)

_HEADER = """/* eslint-disable */
/**
 * Documents and ids of the tables.
 *
 * Written by `convexpy codegen` from schema.py. Do not edit.
 */
"""
_NAMES = """/** The names of the tables. */
export type TableNames = TableNamesInDataModel<DataModel>;

/** A document of a table: `Doc<"messages">`. */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/** The id of a document of a table: `Id<"messages">`. A string that fits no other table. */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
"""
_WITHOUT_SCHEMA = """import type { AnyDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** There is no schema.py: any table, and any document in it. */
export type DataModel = AnyDataModel;

/** The names of the tables. */
export type TableNames = string;

/** A document of a table. */
export type Doc<TableName extends TableNames = TableNames> = DataModel[TableName]["document"];

/** The id of a document of a table: `Id<"messages">`. A string that fits no other table. */
export type Id<TableName extends TableNames = TableNames> = GenericId<TableName>;
"""
_SERVER = """/* eslint-disable */
/**
 * The services of queries, mutations and actions, over the tables of the app: for tools and shared code that name them.
 * There is nothing to import at run time; functions are written in Python.
 *
 * Written by `convexpy codegen`. Do not edit.
 */
import type {
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
  GenericMutationCtx,
  GenericQueryCtx,
} from "convex/server";
import type { DataModel } from "./dataModel.js";

export type QueryCtx = GenericQueryCtx<DataModel>;
export type MutationCtx = GenericMutationCtx<DataModel>;
export type ActionCtx = GenericActionCtx<DataModel>;
export type DatabaseReader = GenericDatabaseReader<DataModel>;
export type DatabaseWriter = GenericDatabaseWriter<DataModel>;
"""


def render_data_model(model: DataModel, *, has_schema: bool) -> str:
    """Return the text of `dataModel.d.ts`."""
    if not has_schema:
        return f"{_HEADER}{_WITHOUT_SCHEMA}"
    types = Types(model, named=False)
    tables = [
        f"{key(table.name)}: {_table(table, types)}"
        for table in sorted(model.tables, key=lambda each: each.name)
    ]
    names = {"DocumentByName", "SystemTableNames", "TableNamesInDataModel"}
    if not model.strict:
        tables.append("[tableName: string]: AnyDataModel[string]")
        names.add("AnyDataModel")
    head = imports({"convex/server": names, "convex/values": {"GenericId"}})
    said = "/** Per table: its documents, the paths of their fields, and its indexes. */"
    declared = f"export type DataModel = {block(tables)};"
    return f"{_HEADER}{head}\n{said}\n{declared}\n\n{_NAMES}"


def _table(table: Table, types: Types) -> str:
    kinds = [document(each, table.name) for each in variants(table.described.validator)]
    documents = types.of({"type": "union", "value": kinds} if kinds else {"type": "any"})
    paths = sorted({path for kind in kinds for path in _paths_in(kind)})
    return block(
        [
            f"document: {documents}",
            f"fieldPaths: {_words(paths) if paths else 'string'}",
            f"indexes: {_indexes(table)}",
            f"searchIndexes: {block(_search(each) for each in _usable(table.described.search_indexes))}",
            f"vectorIndexes: {block(_vector(each) for each in _usable(table.described.vector_indexes))}",
        ]
    )


def _usable(indexes: Iterable[U]) -> list[U]:
    """Return the indexes that functions may use: staged ones are still being built."""
    return [each for each in indexes if not each.staged]


def _indexes(table: Table) -> str:
    indexes = {"by_id": ["_id"], "by_creation_time": ["_creationTime"]}
    indexes |= {each.name: [*each.fields, "_creationTime"] for each in _usable(table.described.indexes)}
    return block(f"{key(name)}: [{', '.join(map(quoted, fields))}]" for name, fields in indexes.items())


def _search(index: SearchIndexDescription) -> str:
    members = [f"searchField: {quoted(index.search_field)}", f"filterFields: {_words(index.filter_fields)}"]
    return f"{key(index.name)}: {block(members)}"


def _vector(index: VectorIndexDescription) -> str:
    members = [
        f"vectorField: {quoted(index.vector_field)}", "dimensions: number",
        f"filterFields: {_words(index.filter_fields)}",
    ]  # fmt: skip
    return f"{key(index.name)}: {block(members)}"


def _words(words: Iterable[str]) -> str:
    return union_of([quoted(word) for word in words])


def _paths_in(described: Described) -> Iterator[str]:
    if described["type"] == "union":
        for member in described["value"]:
            yield from _paths_in(member)
    elif described["type"] == "object":
        for name, each in described["value"].items():
            yield name
            yield from (f"{name}.{rest}" for rest in _paths_in(each["fieldType"]))


def render_server() -> str:
    """Return the text of `server.d.ts`."""
    return _SERVER
