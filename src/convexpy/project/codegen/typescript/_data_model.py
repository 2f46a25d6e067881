"""`dataModel.d.ts`: documents, ids and indexes of every table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from convexpy.project.codegen.typescript._layout import (
    Layout,
    braces,
    imports,
    key,
    print_lines,
    quoted,
    tuple_of,
)
from convexpy.project.codegen.typescript._types import Type, Types, document, union_of, variants
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
export type Doc<TableName extends TableNames> = DocumentByName<
  DataModel,
  TableName
>;

/** The id of a document of a table: `Id<"messages">`. A string that fits no other table. */
export type Id<TableName extends TableNames | SystemTableNames> =
  GenericId<TableName>;
"""
_WITHOUT_SCHEMA = """import type { AnyDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** There is no schema.py: any table, and any document in it. */
export type DataModel = AnyDataModel;

/** The names of the tables. */
export type TableNames = string;

/** A document of a table. */
export type Doc<TableName extends TableNames = TableNames> =
  DataModel[TableName]["document"];

/** The id of a document of a table: `Id<"messages">`. A string that fits no other table. */
export type Id<TableName extends TableNames = TableNames> =
  GenericId<TableName>;
"""


def render_data_model(model: DataModel, *, has_schema: bool) -> str:
    """Return the text of `dataModel.d.ts`."""
    if not has_schema:
        return f"{_HEADER}{_WITHOUT_SCHEMA}"
    types = Types(model, named=False)
    tables: list[Layout] = [
        (key(table.name), ": ", _table(table, types))
        for table in sorted(model.tables, key=lambda each: each.name)
    ]
    names = {"DocumentByName", "SystemTableNames", "TableNamesInDataModel"}
    if not model.strict:
        tables.append("[tableName: string]: AnyDataModel[string]")
        names.add("AnyDataModel")
    head = imports({"convex/server": names, "convex/values": {"GenericId"}})
    said = "/** Per table: its documents, the paths of their fields, and its indexes. */"
    declared = f"export type DataModel = {print_lines(braces(tables, broken=True))};"
    return f"{_HEADER}{head}\n{said}\n{declared}\n\n{_NAMES}"


def _table(table: Table, types: Types) -> Layout:
    validator = table.described.validator
    kinds = [document(each, table.name) for each in variants(validator)]
    members: list[Layout] = [
        ("document: ", types.of({"type": "union", "value": kinds} if kinds else {"type": "any"}).in_field),
        ("fieldPaths: ", _paths(kinds)),
        ("indexes: ", _indexes(table)),
        (
            "searchIndexes: ",
            braces([_search(each) for each in _usable(table.described.search_indexes)], broken=True),
        ),
        (
            "vectorIndexes: ",
            braces([_vector(each) for each in _usable(table.described.vector_indexes)], broken=True),
        ),
    ]
    return braces(members, broken=True)


def _usable(indexes: Iterable[U]) -> list[U]:
    """Return the indexes that functions may use: staged ones are still being built."""
    return [each for each in indexes if not each.staged]


def _indexes(table: Table) -> Layout:
    indexes = {"by_id": ["_id"], "by_creation_time": ["_creationTime"]}
    indexes |= {each.name: [*each.fields, "_creationTime"] for each in _usable(table.described.indexes)}
    members = [
        (key(name), ": ", tuple_of([quoted(each) for each in fields])) for name, fields in indexes.items()
    ]
    return braces(members, broken=True)


def _search(index: SearchIndexDescription) -> Layout:
    field = ("searchField: ", quoted(index.search_field))
    return (key(index.name), ": ", braces([field, _filters(index)], broken=True))


def _vector(index: VectorIndexDescription) -> Layout:
    field = ("vectorField: ", quoted(index.vector_field))
    members = [field, "dimensions: number", _filters(index)]
    return (key(index.name), ": ", braces(members, broken=True))


def _filters(index: SearchIndexDescription | VectorIndexDescription) -> Layout:
    return ("filterFields: ", _words(index.filter_fields).in_field)


def _words(words: Iterable[str]) -> Type:
    return union_of([Type(quoted(word), hugs=True) for word in words])


def _paths(kinds: Iterable[Described]) -> Layout:
    """Return the paths that an index or a filter may name; any string for a table that takes anything."""
    found = sorted({path for kind in kinds for path in _paths_in(kind)})
    return _words(found).in_field if found else "string"


def _paths_in(described: Described) -> Iterator[str]:
    if described["type"] == "union":
        for member in described["value"]:
            yield from _paths_in(member)
    elif described["type"] == "object":
        for name, each in described["value"].items():
            yield name
            yield from (f"{name}.{rest}" for rest in _paths_in(each["fieldType"]))
