"""Documents, views and rows as the dashboard shows them."""

from __future__ import annotations

from typing import Any

import pytest

from convexpy.client import DocumentQuery
from convexpy.errors import ArgumentError
from convexpy.protocol.admin_api import TableIndex, TableInfo
from convexpy.protocol.app_description import FunctionDescription, TableDescription
from convexpy.values import encode_id
from convexpy_cli.dashboard import documents
from convexpy_cli.dashboard.pages.functions import function_row, milliseconds
from convexpy_cli.dashboard.pages.logs import Wanted
from convexpy_cli.dashboard.pages.runner import choices_of, one_line
from convexpy_cli.dashboard.pages.schema import index_rows, progress_text
from convexpy_cli.dashboard.pages.view import View, sortable

BOOK = TableDescription(
    validator={
        "type": "object",
        "value": {
            "title": {"fieldType": {"type": "string"}, "optional": False},
            "pages": {"fieldType": {"type": "number"}, "optional": False},
            "note": {"fieldType": {"type": "string"}, "optional": True},
        },
    }
)
ID = encode_id(10, bytes(16))
TABLE = TableInfo(
    name="books",
    number=10,
    documents=3,
    size_bytes=300,
    indexes=(
        TableIndex(name="by_pages", fields=("pages", "title"), state="ready"),
        TableIndex(name="by_title", fields=("title",), state="building"),
    ),
)


@pytest.mark.parametrize(
    ("value", "text", "href"),
    [
        (None, "null", None),
        ("plain", "plain", None),
        (ID, ID, f"/data/books?document={ID}"),
        (3, "3", None),
        ({"$integer": "BQAAAAAAAAA="}, "5n", None),
        ({"$bytes": "AAEC"}, "3 bytes", None),
        ({"a": [1]}, '{"a":[1]}', None),
        ("x" * 500, "x" * 160 + "…", None),
    ],
)
def test_a_value_is_a_cell(value: Any, text: str, href: str | None) -> None:
    cell = documents.cell("field", value, {10: "books"})
    assert (cell.text, cell.href) == (text, href)


def test_an_id_of_no_table_is_not_a_link() -> None:
    assert documents.cell("field", ID, {}).href is None


def test_columns_are_those_of_the_schema_and_of_the_documents() -> None:
    assert documents.columns([], BOOK) == ["_id", "title", "pages", "note", "_creationTime"]
    found = documents.columns([{"_id": "1", "_creationTime": 1, "extra": 2}], BOOK)
    assert found == ["_id", "title", "pages", "note", "extra", "_creationTime"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"title": "A"', "Line 1, column"),
        ("[]", "JSON object"),
        ('{"title": "A", "pages": 1, "_id": "x"}', "_id"),
        ('{"title": "A"}', "pages"),
        ('{"title": "A", "pages": "many"}', "pages"),
        ('{"title": "A", "pages": {"$integer": "?"}}', "$"),
    ],
)
def test_what_is_wrong_with_a_document_is_said(text: str, words: str) -> None:
    assert words in documents.problem(text, BOOK)
    with pytest.raises(ArgumentError):
        documents.read_text(text, BOOK)


def test_a_document_that_fits_has_no_problem() -> None:
    assert documents.problem('{"title": "A", "pages": 1}', BOOK) == ""
    assert documents.problem('{"anything": [1, null]}', None) == ""
    assert documents.read_text(documents.template(BOOK), BOOK) == {"title": "", "pages": 0}


def test_only_what_was_edited_is_written() -> None:
    before = {"_id": ID, "_creationTime": 1.0, "title": "A", "pages": 1, "note": "x"}
    assert documents.differences(before, {"title": "A", "pages": 2}) == ({"pages": 2}, ["note"])
    assert documents.differences(before, {"title": "A", "pages": 1, "note": "x"}) == ({}, [])


def test_a_view_is_in_its_address() -> None:
    view = View(
        table="my books", index="by_pages", order="asc", bounds={"pages": ("gte", "3")}, where="title > 'A'"
    )
    assert view.address.startswith("/data/my%20books?")
    parameters = {"index": "by_pages", "order": "asc", "gte.pages": "3", "where": "title > 'A'"}
    assert View.read("my books", parameters) == view
    assert View.read("books", {}).address == "/data/books"


def test_a_view_is_a_query() -> None:
    assert View(table="books").query(BOOK) == DocumentQuery("books", "desc", None, [], None, None, None)
    view = View(table="books", index="by_pages", bounds={"pages": ("lt", "3")}, where="note == 'x'")
    assert view.query(BOOK) == DocumentQuery(
        "books", "desc", "by_pages", [], None, ("pages", 3, False), "note == 'x'"
    )


def test_columns_that_an_index_begins_with_can_be_sorted() -> None:
    assert sortable(TABLE) == {"_creationTime": "by_creation_time", "pages": "by_pages"}


def test_indexes_have_their_states() -> None:
    states = [(str(row.key), row.to_json()["cells"][3]["text"]) for row in index_rows(TABLE, BOOK)]
    assert states == [("by_creation_time", "ready"), ("by_pages", "ready"), ("by_title", "building")]
    assert progress_text(250, 1000) == "Building indexes: 250 of 1,000 documents (25%)"
    assert progress_text(0, 0) == "Building indexes: 0 of 0 documents (100%)"


@pytest.mark.parametrize(
    ("validator", "choices", "line"),
    [
        ({"type": "boolean"}, {"false": "false", "true": "true"}, True),
        ({"type": "string"}, None, True),
        ({"type": "literal", "value": "a"}, {"a": "a"}, True),
        (
            {"type": "union", "value": [{"type": "literal", "value": "a"}, {"type": "null"}]},
            {"a": "a", "null": "null"},
            True,
        ),
        ({"type": "union", "value": [{"type": "string"}, {"type": "null"}]}, None, True),
        ({"type": "array", "value": {"type": "string"}}, None, False),
        (
            {"type": "union", "value": [{"type": "array", "value": {"type": "any"}}, {"type": "null"}]},
            None,
            False,
        ),
    ],
)
def test_arguments_have_the_field_that_fits(validator: dict[str, Any], choices: Any, line: bool) -> None:
    assert choices_of(validator) == choices
    assert one_line(validator) is line


def test_a_function_that_was_not_called_has_a_row() -> None:
    described = FunctionDescription(path="a:b", kind="query", visibility="public")
    assert [cell.get("text") for cell in function_row(described, None).to_json()["cells"]][:4] == [
        "a:b",
        "query",
        "public",
        "0",
    ]
    assert [milliseconds(each) for each in (0.25, 12.3, 1500)] == ["0.25 ms", "12 ms", "1.5 s"]


def test_a_choice_of_logs_is_in_its_address() -> None:
    wanted = Wanted(function="notes", level="warn", calls=False)
    assert wanted.address == "/logs?function=notes&level=warn&calls=0"
    assert Wanted.read({"function": "notes", "level": "warn", "calls": "0"}) == wanted
    assert wanted.filters["function"] == "*notes*"
    assert Wanted(function="notes:*").filters["function"] == "notes:*"
    assert Wanted(request="r1", calls=False).filters["success"] == "1"
