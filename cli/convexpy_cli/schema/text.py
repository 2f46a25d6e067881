"""A described schema as text: for people, as Python, and as DBML for drawing tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convexpy.protocol.app_description import (
    SchemaDescription,
    SearchIndexDescription,
    TableDescription,
    VectorIndexDescription,
)
from convexpy_cli.schema.python_types import PythonTypes

LINE_LENGTH = 100
Schema = SchemaDescription


def human(schema: Schema) -> str:
    """Return tables with their fields and indexes."""
    types = PythonTypes(schema.tables)
    tables = [_table(name, table, types) for name, table in schema.tables.items()]
    return "\n\n".join(tables) or "no tables"


def _table(name: str, table: TableDescription, types: PythonTypes) -> str:
    lines = [name, *(f"  {line}" for line in types.fields(table.validator))]
    for index in table.indexes:
        staged = "  (staged)" if index.staged else ""
        lines.append(f"  index {index.name} ({', '.join(index.fields)}){staged}")
    lines += [f"  search index {each.name} ({each.search_field})" for each in table.search_indexes]
    lines += [f"  vector index {each.name} ({each.vector_field})" for each in table.vector_indexes]
    return "\n".join(lines)


# Python


def python(schema: Schema) -> str:
    """Return the text of a `schema.py` that defines this."""
    tables = "".join(f"    {json.dumps(name)}: {_define(table)},\n" for name, table in schema.tables.items())
    return (
        '"""The tables of the app."""\n\n'
        "from convexpy import define_schema, define_table, v\n\n"
        f"schema = define_schema({{\n{tables}}})\n"
    )


def _define(table: TableDescription) -> str:
    validator = table.validator
    inner = _fields(validator, 1) if validator["type"] == "object" else validator_text(validator, 1)
    text = f"define_table({inner})"
    for index in table.indexes:
        staged = ", staged=True" if index.staged else ""
        text += f".index({json.dumps(index.name)}, {json.dumps(index.fields)}{staged})"
    for search in table.search_indexes:
        text += _special("search_index", search, search_field=search.search_field)
    for vector in table.vector_indexes:
        fields = {"vector_field": vector.vector_field, "dimensions": vector.dimensions}
        text += _special("vector_index", vector, **fields)
    return text


def _special(method: str, index: SearchIndexDescription | VectorIndexDescription, **given: Any) -> str:
    given |= {"filter_fields": index.filter_fields} if index.filter_fields else {}
    given |= {"staged": True} if index.staged else {}
    words = ", ".join(
        f"{name}={value if value is True else json.dumps(value)}" for name, value in given.items()
    )
    return f".{method}({json.dumps(index.name)}, {words})"


def _fields(validator: Mapping[str, Any], depth: int) -> str:
    fields = {
        name: _field(field, depth + 1)
        for name, field in validator["value"].items()
        if name not in ("_id", "_creationTime")
    }
    if not fields:
        return "{}"
    pad = "    " * (depth + 1)
    lines = "".join(f"{pad}{json.dumps(name)}: {text},\n" for name, text in fields.items())
    return f"{{\n{lines}{'    ' * depth}}}"


def _field(field: Mapping[str, Any], depth: int) -> str:
    text = validator_text(field["fieldType"], depth)
    return f"v.optional({text})" if field.get("optional") else text


_PLAIN: dict[str, str] = {
    "string": "v.string()",
    "number": "v.number()",
    "bigint": "v.int64()",
    "boolean": "v.boolean()",
    "bytes": "v.bytes()",
    "null": "v.null()",
    "any": "v.any()",
}


def validator_text(validator: Mapping[str, Any], depth: int = 0) -> str:
    """Return the Python that makes a validator."""
    kind: str = validator["type"]
    if kind == "number" and validator.get("int"):
        return "v.int()"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "id":
        return f"v.id({json.dumps(validator['tableName'])})"
    if kind == "literal":
        value = validator["value"]
        return f"v.literal({value if isinstance(value, bool) else json.dumps(value)})"
    if kind == "array":
        return f"v.array({validator_text(validator['value'], depth)})"
    if kind == "record":
        values = validator["values"].get("fieldType", validator["values"])
        return f"v.record({validator_text(validator['keys'], depth)}, {validator_text(values, depth)})"
    if kind == "union":
        return f"v.union({', '.join(validator_text(member, depth) for member in validator['value'])})"
    return f"v.object({_fields(validator, depth)})"


# DBML


def dbml(schema: Schema) -> str:
    """Return tables, indexes and references in DBML."""
    tables = [_dbml_table(name, table) for name, table in schema.tables.items()]
    references = [line for name, table in schema.tables.items() for line in _references(name, table)]
    return "\n\n".join([*tables, *(["\n".join(references)] if references else [])]) + "\n"


def _dbml_table(name: str, table: TableDescription) -> str:
    lines = [f"Table {name} {{", "  _id id [pk]", "  _creationTime number"]
    for field, described in object_fields(table.validator):
        null = "" if described.get("optional") else " [not null]"
        lines.append(f"  {field} {_dbml_type(described['fieldType'])}{null}")
    if table.indexes:
        lines += ["", "  indexes {"]
        lines += [f"    ({', '.join(each.fields)}) [name: '{each.name}']" for each in table.indexes]
        lines.append("  }")
    return "\n".join([*lines, "}"])


def _dbml_type(validator: Mapping[str, Any]) -> str:
    if validator["type"] == "array":
        return f'"{_dbml_type(validator["value"])}[]"'.replace('""', '"')
    return {"bigint": "int64", "literal": "string"}.get(validator["type"], str(validator["type"]))


def _references(name: str, table: TableDescription) -> Iterable[str]:
    for field, described in object_fields(table.validator):
        validator = described["fieldType"]
        if validator["type"] == "id" and not validator["tableName"].startswith("_"):
            yield f"Ref: {name}.{field} > {validator['tableName']}._id"


def object_fields(validator: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the fields of a table's documents in the order of the schema; for a union those of all its objects."""
    members = validator["value"] if validator["type"] == "union" else [validator]
    seen: dict[str, Mapping[str, Any]] = {}
    for member in members:
        seen |= member["value"] if member["type"] == "object" else {}
    return seen.items()


FORMATS: dict[str, Callable[[Schema], str]] = {"human": human, "plain": human, "python": python, "dbml": dbml}
