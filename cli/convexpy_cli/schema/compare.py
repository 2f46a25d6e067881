"""The work of `convexpy schema`: where schemas come from, how two differ, which documents do not fit one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import Any

from msgspec.structs import replace as replace_fields

from convexpy.client import AdminClient, DataClient, DocumentQuery
from convexpy.errors import SchemaViolation
from convexpy.protocol.app_description import IndexDescription, SchemaDescription, TableDescription
from convexpy.schema import SYSTEM_TABLE_NUMBERS, load_schema
from convexpy.schema.changes import schema_changes
from convexpy.schema.shapes import shape_changes
from convexpy.values import decode_id, from_json
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.schema import inference

LOCAL_CODE = "code"
Schema = SchemaDescription


# Where they come from


def of_code(ctx: Context) -> SchemaDescription:
    """Return the schema of the local code."""
    from convexpy.project import analyze

    return analyze(ctx.project).schema or SchemaDescription()


def of_deployment(ctx: Context, command: str, reference: str | None = None) -> SchemaDescription:
    """Return the schema of the chosen deployment, or of another one."""
    changes = {} if reference is None else {"deployment": reference, "url": None, "admin_key": None}
    with closing(ctx.sibling(**changes)) as other, other.connected(command) as (_, client):
        return client.app().schema or SchemaDescription()


def only(schema: Schema, name: str | None) -> Schema:
    """Return the schema with one of its tables, or as it is.

    Raises:
        Failure: there is no such table (exit 1).
    """
    if name is None:
        return schema
    if name not in schema.tables:
        hint = errors.suggestion(name, schema.tables, "tables")
        raise errors.Failure("TableNotFound", f'the schema has no table "{name}"', hint=hint)
    return replace_fields(schema, tables={name: schema.tables[name]})


# How they differ


def differences(before: SchemaDescription | None, after: SchemaDescription | None) -> list[dict[str, Any]]:
    """Return `{area, kind, name, detail}` for every table, field and index that is not alike."""
    changes = schema_changes(before or SchemaDescription(), after or SchemaDescription())
    found: list[dict[str, Any]] = []
    for each in changes.tables:
        if each.before is None or each.after is None:
            found.append(_difference("schema", each.kind, each.name, "table"))
        else:
            found += [
                _difference("schema", "changed", f"{each.name}.{field}" if field else each.name, text)
                for field, text in shape_changes(each.before.validator, each.after.validator)
            ]
    for change in changes.indexes:
        index = change.after or change.before
        assert index is not None
        detail = ", ".join(index.fields) + (" (staged)" if index.staged else "")
        found.append(_difference("indexes", change.kind, change.name, detail))
    found.sort(key=lambda each: str(each["name"]).partition(".")[0])
    for flag in changes.flags:
        found.append(_difference("schema", "changed", flag.name, "on" if flag.after else "off"))
    return found


def _difference(area: str, kind: str, name: str, detail: str) -> dict[str, Any]:
    return {"area": area, "kind": kind, "name": name, "detail": detail}


def difference_lines(found: list[dict[str, Any]]) -> str:
    """Return the differences for people."""
    marks = {"added": "+", "removed": "-", "changed": "~"}
    return "\n".join(
        f"{each['area']:<9} {marks[each['kind']]} {each['name']:<28} {each['detail']}".rstrip()
        for each in found
    )


# Which documents do not fit


def violations(
    client: AdminClient, schema: Schema, limit: int | None, looked_at: Callable[[str, int], None]
) -> tuple[list[dict[str, Any]], int]:
    """Return `{table, id, message}` of the documents that do not fit, and how many were looked at."""
    checked, data = load_schema(schema), DataClient(client)
    numbers = {**SYSTEM_TABLE_NUMBERS, **{each.name: each.number for each in data.tables()}}
    found: list[dict[str, Any]] = []
    total = 0
    for name in schema.tables:
        if name not in numbers:
            continue
        for document in data.documents(DocumentQuery(name, "asc")):
            total += 1
            if total % 10_000 == 0:
                looked_at(name, total)
            try:
                checked.check_document(name, from_json(document), numbers.get)
            except SchemaViolation as error:
                message = error.message.partition("does not match the schema: ")[2]
                found.append({"table": name, "id": document["_id"], "message": message})
                if limit is not None and len(found) >= limit:
                    return found, total
    return found, total


def infer(client: AdminClient, name: str | None, sample: int) -> SchemaDescription:
    """Return a schema that the stored documents of one table, or of all, would fit."""
    data = DataClient(client)
    described = data.tables()
    by_number = {number: name for name, number in SYSTEM_TABLE_NUMBERS.items()}
    by_number |= {each.number: each.name for each in described}
    chosen = [each for each in described if name in (None, each.name)]
    if not chosen and name is not None:
        raise errors.Failure("TableNotFound", f'no table "{name}"')

    def table_of(text: str) -> str | None:
        decoded = decode_id(text) if len(text) in range(31, 38) else None
        return None if decoded is None else by_number.get(decoded[0])

    tables: dict[str, TableDescription] = {}
    for each in chosen:
        documents = islice(data.documents(DocumentQuery(each.name, "desc")), sample or None)
        indexes = tuple(
            IndexDescription(index.name, index.fields, index.state == "staged") for index in each.indexes
        )
        tables[each.name] = TableDescription(inference.inferred(documents, table_of), indexes)
    return SchemaDescription(tables)
