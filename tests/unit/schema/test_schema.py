"""The schema: definitions, their errors, the check of documents, forms as data, differences."""

import json
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pytest

from convexpy.database._system_tables import APP_VISIBLE, SYSTEM_TABLES
from convexpy.errors import ProjectError, SchemaViolation
from convexpy.protocol.app_description import IndexDescription, SchemaDescription
from convexpy.schema import (
    SYSTEM_TABLE_NUMBERS,
    Schema,
    define_schema,
    define_table,
    load_schema,
)
from convexpy.values import encode_id, v

USER = encode_id(10001, bytes(16))
NUMBERS = {"users": 10001, "messages": 10002}.get


@dataclass
class Note:
    text: str
    stars: float = 0


class Tag(TypedDict):
    name: str


def full() -> Schema:
    return define_schema(
        {
            "users": define_table(name=v.string(), origin=v.optional(v.object(city=v.string())))
            .index("by_name", ["name"])
            .index("by_city", ["origin.city", "name"], staged=True),
            "messages": define_table(
                v.union(
                    v.object(kind=v.literal("text"), author=v.id("users"), text=v.string()),
                    v.object(kind=v.literal("file"), author=v.id("users"), file=v.id("_storage")),
                )
            )
            .index("by_author", ["author"])
            .search_index("search_text", search_field="text", filter_fields=["author"]),
            "notes": define_table(Note)
            .search_index("staged_search", search_field="text", staged=True)
            .vector_index("near", vector_field="stars", dimensions=384, filter_fields=["text"]),
            "anything": define_table(v.any()).index("by_x", ["x.y.z"]),
        },
        strict_table_names=False,
    )


def test_description_and_back_is_the_same_schema() -> None:
    schema = full()
    described = msgspec.json.decode(msgspec.json.encode(schema.describe()), type=SchemaDescription)
    again = load_schema(described)
    assert again.describe() == schema.describe()
    assert again.export() == schema.export()
    assert not again.strict_table_names


def test_export_is_the_official_form() -> None:
    schema = define_schema(t=define_table(a=v.string()).index("i", ["a"]).index("s", ["a"], staged=True))
    assert json.loads(schema.export()) == {
        "tables": [
            {
                "tableName": "t",
                "indexes": [{"indexDescriptor": "i", "fields": ["a", "_creationTime"]}],
                "stagedDbIndexes": [{"indexDescriptor": "s", "fields": ["a", "_creationTime"]}],
                "searchIndexes": [],
                "stagedSearchIndexes": [],
                "vectorIndexes": [],
                "stagedVectorIndexes": [],
                "documentType": {
                    "type": "object",
                    "value": {"a": {"fieldType": {"type": "string"}, "optional": False}},
                },
            }
        ],
        "schemaValidation": True,
    }


def test_definitions_are_immutable() -> None:
    table = define_table(a=v.string())
    assert table.index("by_a", ["a"]).indexes == (IndexDescription("by_a", ("a",)),)
    assert table.indexes == ()


def test_tables_from_classes() -> None:
    assert list(define_table(Note).describe().validator["value"]) == ["text", "stars"]
    assert define_table(Tag).validator == v.object(name=v.string())


@pytest.mark.parametrize(
    ("table", "document"),
    [
        ("users", {"name": "a"}),
        ("users", {"_id": USER, "_creationTime": 1.5, "name": "a", "origin": {"city": "b"}}),
        ("messages", {"kind": "text", "author": USER, "text": "x"}),
        ("anything", {"x": [1]}),
        ("no such table", {"x": [1]}),
    ],
)
def test_documents_that_fit(table: str, document: dict[str, Any]) -> None:
    full().check_document(table, document, NUMBERS)


def test_a_document_that_does_not_fit_is_refused_with_table_and_path() -> None:
    with pytest.raises(SchemaViolation) as caught:
        full().check_document("users", {"_id": USER, "_creationTime": 1, "name": "a", "origin": {}}, NUMBERS)
    assert caught.value.message == (
        'Failed to insert or update a document in table "users" because it does not match the schema: '
        "Object is missing the required field `city`. Consider wrapping the field validator in "
        "`v.optional(...)` "
        "if this is expected.\n\nPath: .origin\nObject: {}\nValidator: v.object({city: v.string()})"
    )
    with pytest.raises(SchemaViolation, match="extra field `x`"):
        full().check_document("users", {"name": "a", "x": 1}, NUMBERS)
    with pytest.raises(SchemaViolation):
        full().check_document("messages", {"kind": "text", "author": "an id", "text": ""}, NUMBERS)


def test_without_validation_everything_fits() -> None:
    schema = define_schema({"users": define_table(name=v.string())}, schema_validation=False)
    schema.check_document("users", {"other": 1}, NUMBERS)


def test_validators_of_documents_and_ids() -> None:
    schema = full()
    doc = schema.doc("users")
    assert list(doc.fields) == ["_id", "_creationTime", "name", "origin"]
    doc.check({"_id": USER, "_creationTime": 1.5, "name": "a"})
    message = schema.doc("messages")
    assert dict(message.fields) == {}
    message.check({"_id": USER, "_creationTime": 1, "kind": "text", "author": USER, "text": ""})
    assert message.export()["type"] == "union"
    assert schema.id("users") == v.id("users")
    with pytest.raises(ProjectError, match="no table 'nope'"):
        schema.doc("nope")


plain = define_table(a=v.string(), b=v.array(v.number()))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: plain.index("by_id", ["a"]), "reserved"),
        (lambda: plain.index("by_creation_time", ["a"]), "reserved"),
        (lambda: plain.index("_mine", ["a"]), "reserved"),
        (lambda: plain.index("my index", ["a"]), "cannot be the name of an index"),
        (lambda: plain.index("x" * 65, ["a"]), "cannot be the name of an index"),
        (lambda: plain.index("i", []), "needs a list of fields"),
        (lambda: plain.index("i", "a"), "needs a list of fields"),
        (lambda: plain.index("i", ["z"]), "names the field 'z', which the table does not have"),
        (lambda: plain.index("i", ["a.b"]), "does not have"),
        (lambda: plain.index("i", ["a", "a"]), "twice"),
        (lambda: plain.index("i", ["_creationTime"]), "every index ends with _creationTime"),
        (lambda: plain.index("i", ["a"]).search_index("i", search_field="a"), "two indexes are called 'i'"),
        (lambda: plain.index("i", [f"f{n}" for n in range(17)]), "has 17 fields"),
        (lambda: plain.search_index("s", search_field="z"), "does not have"),
        (lambda: plain.search_index("s", search_field="a", filter_fields=["z"]), "does not have"),
        (lambda: plain.vector_index("v", vector_field="b", dimensions=1), "2 to 4096"),
        (lambda: plain.vector_index("v", vector_field="b", dimensions=4097), "2 to 4096"),
        (lambda: define_table(_id=v.string()), "_id is a system field"),
        (lambda: define_table({"my field": v.string()}), "cannot be the name of a table's field"),
        (lambda: define_table({"_x": v.string()}), "cannot be the name of a table's field"),
        (lambda: define_table({"a": "string"}), "must be a validator"),
        (lambda: define_table(v.string()), "a table needs v.object"),
        (lambda: define_table(v.union(v.object(), v.null())), "a table needs v.object"),
        (lambda: define_table(int), "a table needs v.object"),
        (lambda: define_schema({"_t": plain}), "reserved"),
        (lambda: define_schema({"a-b": plain}), "cannot be the name of a table"),
        (lambda: define_schema({"___": plain}), "reserved"),
        (lambda: define_schema({"t": v.object()}), "must be made by define_table"),
        (lambda: define_schema(t=define_table(x=v.array(v.id("u")))), r"refers to v.id\('u'\)"),
    ],
)
def test_wrong_definitions_say_where_they_are(make: Any, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        make()
    location = caught.value.location
    assert location is not None
    assert location.file.endswith("tests/unit/schema/test_schema.py")
    assert location.line is not None


def test_64_indexes_fit_and_one_more_does_not() -> None:
    table = plain
    for number in range(64):
        table = table.index(f"i{number}", ["a"])
    with pytest.raises(ProjectError, match="at most 64"):
        table.index("more", ["a"])


def test_the_place_of_a_wrong_reference_is_that_of_its_table() -> None:
    table = define_table(x=v.id("u"))
    assert table.location is not None
    with pytest.raises(ProjectError) as caught:
        define_schema(t=table)
    assert caught.value.location == table.location


def test_the_numbers_of_system_tables_are_those_of_the_database() -> None:
    visible = {each.name: 512 + each.tablet for each in SYSTEM_TABLES if each.name in APP_VISIBLE}
    assert visible == SYSTEM_TABLE_NUMBERS
