"""The work of `convexpy schema`: where schemas come from, how two differ, which documents do not fit one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convexpy.client import AdminClient, DataClient, DocumentQuery
from convexpy.errors import SchemaViolation
from convexpy.schema import load_schema
from convexpy.schema.shapes import shape_changes
from convexpy.values import decode_id, from_json
from convexpy_cli import errors, table
from convexpy_cli.schema import inference

if TYPE_CHECKING:
    from convexpy_cli.context import Invocation

LOCAL_CODE = "code"
EMPTY: dict[str, Any] = {"tables": {}, "schemaValidation": True, "strictTableNames": True}
Schema = Mapping[str, Any]


# Where they come from


def of_code(run: Invocation) -> dict[str, Any]:
    """Return the schema of the local code."""
    from convexpy.project import analyze

    return analyze(run.project)["schema"] or EMPTY


def of_deployment(run: Invocation, command: str, reference: str | None = None) -> dict[str, Any]:
    """Return the schema of the chosen deployment, or of another one."""
    if reference is not None:
        run.settings = replace(run.settings, deployment=reference, url=None, admin_key=None)
    with run.connected(command) as (_, client):
        return client.functions()["schema"] or EMPTY


def only(schema: Schema, name: str | None) -> Schema:
    """Return the schema with one of its tables, or as it is.

    Raises:
        Failure: there is no such table (exit 1).
    """
    if name is None:
        return schema
    if name not in schema["tables"]:
        near = table.nearest(name, list(schema["tables"]))
        hint = f"did you mean {near}?" if near else f"tables: {', '.join(schema['tables']) or 'none'}"
        raise errors.Failure("TableNotFound", f'the schema has no table "{name}"', errors.FAILED, hint=hint)
    return {**schema, "tables": {name: schema["tables"][name]}}


# How they differ


def differences(before: Schema, after: Schema) -> list[dict[str, Any]]:
    """Return `{area, kind, name, detail}` for every table, field and index that is not alike."""
    old, new = before["tables"], after["tables"]
    found: list[dict[str, Any]] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            kind = "added" if name in new else "removed"
            found.append({"area": "schema", "kind": kind, "name": name, "detail": "table"})
        else:
            changes = shape_changes(old[name]["validator"], new[name]["validator"])
            found += [
                {
                    "area": "schema",
                    "kind": "changed",
                    "name": f"{name}.{field}" if field else name,
                    "detail": text,
                }
                for field, text in changes
            ]
        found += _index_differences(name, old.get(name), new.get(name))
    if bool(before["schemaValidation"]) != bool(after["schemaValidation"]):
        detail = "on" if after["schemaValidation"] else "off"
        found.append({"area": "schema", "kind": "changed", "name": "schemaValidation", "detail": detail})
    return found


def _index_differences(name: str, old: Any, new: Any) -> Iterator[dict[str, Any]]:
    before, after = _indexes(old), _indexes(new)
    for index in sorted(before.keys() | after.keys()):
        if before.get(index) != after.get(index):
            kind = "added" if index not in before else "removed" if index not in after else "changed"
            detail = after.get(index) or before.get(index) or ""
            yield {"area": "indexes", "kind": kind, "name": f"{name}.{index}", "detail": detail}


def _indexes(described: Any) -> dict[str, str]:
    if described is None:
        return {}
    return {
        each["name"]: ", ".join(each["fields"]) + (" (staged)" if each.get("staged") else "")
        for each in described["indexes"]
    }


def difference_lines(found: list[dict[str, Any]]) -> str:
    """Return the differences for people."""
    marks = {"added": "+", "removed": "-", "changed": "~"}
    return "\n".join(
        f"{each['area']:<9} {marks[each['kind']]} {each['name']:<28} {each['detail']}".rstrip()
        for each in found
    )


# Which documents do not fit


def misfits(
    client: AdminClient, schema: Schema, limit: int | None, looked_at: Callable[[str, int], None]
) -> tuple[list[dict[str, Any]], int]:
    """Return `{table, id, message}` of the documents that do not fit, and how many were looked at."""
    checked, data = load_schema(schema), DataClient(client)
    numbers = {each["name"]: int(each["number"]) for each in data.tables()}
    found: list[dict[str, Any]] = []
    total = 0
    for name in schema["tables"]:
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


def infer(client: AdminClient, name: str | None, sample: int) -> dict[str, Any]:
    """Return a schema that the stored documents of one table, or of all, would fit."""
    data = DataClient(client)
    described = data.tables()
    by_number = {int(each["number"]): str(each["name"]) for each in described}
    chosen = [each for each in described if name in (None, each["name"])]
    if not chosen and name is not None:
        raise errors.Failure("TableNotFound", f'there is no table "{name}"', errors.FAILED)

    def table_of(text: str) -> str | None:
        decoded = decode_id(text) if len(text) in range(31, 38) else None
        return None if decoded is None else by_number.get(decoded[0])

    tables: dict[str, Any] = {}
    for each in chosen:
        documents, _ = _sampled(data, each["name"], sample)
        tables[each["name"]] = {
            "validator": inference.inferred(documents, table_of),
            "indexes": [{**index, "staged": index["state"] == "staged"} for index in each["indexes"]],
            "searchIndexes": [],
            "vectorIndexes": [],
        }
    return {**EMPTY, "tables": tables}


def _sampled(data: DataClient, name: str, sample: int) -> tuple[list[dict[str, Any]], int]:
    from itertools import islice

    documents = data.documents(DocumentQuery(name, "desc"))
    found = list(islice(documents, sample) if sample else documents)
    return found, len(found)
