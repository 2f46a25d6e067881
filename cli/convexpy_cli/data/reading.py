"""The work of `convexpy data`: which documents are meant, and how they are shown."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from convexpy.client import AdminClient, DataClient, DocumentQuery
from convexpy.printable import counted, printable
from convexpy.protocol.admin_api import TableInfo
from convexpy.protocol.app_description import TableDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.functions import arguments
from convexpy_cli.output import files
from convexpy_cli.output.json import dumps
from convexpy_cli.output.units import iso_time, moment_ms, size_text
from convexpy_cli.schema.text import object_fields

SYSTEM_FIELDS = ("_id", "_creationTime")
ANY = {"type": "any"}


# Tables


def table_cells(described: TableInfo) -> list[str]:
    """Return a table's line of the list."""
    indexes = [
        each.name if each.state == "ready" else f"{each.name} ({each.state})" for each in described.indexes
    ]
    size = size_text(described.size_bytes)
    return [described.name, f"{described.documents:,}", size, ", ".join(indexes) or "-"]


def check_table(client: AdminClient, name: str) -> TableDescription | None:
    """Return the description of a user table, None for a system table.

    Raises:
        Failure: there is none of that name (exit 1).
    """
    if name.startswith("_"):
        return None
    # Two answers of one request: the schema says which tables there are meant to be, empty ones too.
    known = [each.name for each in DataClient(client).tables()]
    if name not in known:
        hint = errors.suggestion(name, known, "tables", none="none yet")
        raise errors.Failure("TableNotFound", f'no table "{name}"', hint=hint)
    return client.app().tables.get(name)


# Which documents


def query_of(
    table_name: str,
    described: TableDescription | None,
    *,
    order: str,
    index: str | None,
    bounds: Mapping[str, Sequence[str]],
    where: str | None,
) -> DocumentQuery:
    """Return the query that the flags stand for; `bounds` are `eq gt gte lt lte`, each `field=value`.

    Raises:
        Failure: bounds without an index, two of one side, or a value that the field can't have (exit 2).
    """
    if any(bounds.values()) and index is None:
        raise errors.usage(
            "--eq, --gt, --gte, --lt and --lte need --index", "--index by_channel --eq channel=general"
        )
    read = {kind: [_pair(described, text, kind) for text in texts] for kind, texts in bounds.items()}
    for one, other in (("gt", "gte"), ("lt", "lte")):
        if len(read[one]) + len(read[other]) > 1:
            raise errors.usage(f"one of --{one} and --{other}, once")
    lower = [(*pair, False) for pair in read["gt"]] + [(*pair, True) for pair in read["gte"]]
    upper = [(*pair, False) for pair in read["lt"]] + [(*pair, True) for pair in read["lte"]]
    return DocumentQuery(
        table_name,
        order,
        index,
        read["eq"],
        lower[0] if lower else None,
        upper[0] if upper else None,
        where,
    )


def _pair(described: TableDescription | None, text: str, kind: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise errors.usage(f"--{kind} {text!r} is not field=value", f"--{kind} status=failed")
    if name == "_creationTime" and not value.replace(".", "", 1).isdigit():
        return name, moment_ms(value)
    try:
        return name, arguments.typed(value, _field_type(described, name))
    except ValueError as error:
        raise errors.usage(f"--{kind} {name}: {error}") from error


def _field_type(described: TableDescription | None, path: str) -> Mapping[str, Any]:
    """Return the validator of a field, as far as the schema knows it."""
    if path == "_creationTime":
        return {"type": "number"}
    validator: Mapping[str, Any] = ANY if described is None else described.validator
    for name in path.split("."):
        fields = validator.get("value") if validator.get("type") == "object" else None
        if not isinstance(fields, dict) or name not in fields:
            return {"type": "string"} if path == "_id" else ANY
        validator = fields[name]["fieldType"]
    return validator


def read(
    data: DataClient, query: DocumentQuery, *, limit: int | None, cursor: str | None, decode: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Return documents and the cursor of what follows; pages on until the limit, since a condition thins pages out."""
    found: list[dict[str, Any]] = []
    while True:
        wanted = 1000 if limit is None else min(limit - len(found), 1000)
        page, cursor = data.page(query, wanted, cursor, decode=decode)
        found += page
        if cursor is None or (limit is not None and len(found) >= limit):
            return found, cursor


# Showing


def show(
    ctx: Context,
    documents: Sequence[dict[str, Any]],
    fields: Sequence[str] | None,
    more: str | None,
    described: TableDescription | None,
) -> None:
    """Print documents in the format that was asked for, their fields in the order of the schema."""
    if fields:
        documents = [{name: each[name] for name in fields if name in each} for each in documents]
    columns = list(fields or columns_of(documents, described))
    if ctx.settings.format == "jsonl":
        write_lines(documents)
    elif ctx.settings.format == "csv":
        text = as_csv(documents, columns)
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    else:
        rows = [[shown_cell(name, each.get(name, _MISSING)) for name in columns] for each in documents]
        cards = ctx.settings.format == "human"
        ctx.output.table(columns, rows, list(documents), cards=cards)
    if more is not None:
        ctx.output.note(f"more documents: --cursor {more}, or --all")
    elif not documents:
        ctx.output.note("no documents")


def write_lines(documents: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> None:
    """Print one document per line."""
    for document in documents:
        sys.stdout.write(dumps(document) + "\n")
    sys.stdout.flush()


_MISSING = object()


def columns_of(
    documents: Sequence[Mapping[str, Any]], described: TableDescription | None = None
) -> list[str]:
    """Return all field names: the id, then the fields as the schema orders them, others, the time last."""
    names = dict.fromkeys(name for each in documents for name in each)
    declared = [] if described is None else [name for name, _ in object_fields(described.validator)]
    ordered = dict.fromkeys(["_id", *declared, *(name for name in names if name != "_creationTime"), *names])
    return [name for name in ordered if name in names]


def cell(value: Any) -> str:
    """Return a value as text in a table: strings as they are, the rest as JSON, nothing for a missing field."""
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else dumps(value)


def shown_cell(name: str, value: Any) -> str:
    """Return a value as a person reads it: as `cell`, and the time of creation as ISO 8601."""
    return iso_time(value) if name == "_creationTime" and isinstance(value, int | float) else cell(value)


def as_csv(documents: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return documents as CSV with a header; nested values are JSON."""
    text = io.StringIO()
    writer = csv.writer(text)
    if columns:
        writer.writerow(columns)
    for each in documents:
        writer.writerow([cell(each.get(name, _MISSING)) for name in columns])
    return text.getvalue()


# Changing


def documents_of(text: str) -> list[dict[str, Any]]:
    """Return the documents of JSON text, `@file`, or `-` for stdin: one object or a list of them.

    Raises:
        Failure: it is neither (exit 2).
    """
    value, where = files.json_of(text, "the document", '{"body": "hi"}')
    documents = value if isinstance(value, list) else [value]
    if not documents or not all(isinstance(each, dict) for each in documents):
        raise errors.usage(f"{where}: expected a JSON object or a list of objects")
    return documents


def require_consent(ctx: Context, count: str) -> None:
    """Refuse to delete several documents that nobody has consented to."""
    if "data-delete" not in ctx.settings.allow:
        raise errors.consent(f"this deletes {count}", "--allow=data-delete")


def count_matching(data: DataClient, query: DocumentQuery, limit: int = 100_000) -> str:
    """Return how many documents a query finds, for a question."""
    found = sum(1 for _ in islice(data.documents(query), limit))
    return counted(found, "document") if found < limit else f"{limit:,} documents or more"
