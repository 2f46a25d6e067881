"""Annotations stand for validators, and convert what fits."""

import datetime
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import msgspec
import pytest

from convexpy.errors import ArgumentError, ProjectError
from convexpy.values import (
    UNSET,
    Int64,
    PaginationOptions,
    PaginationResult,
    ScheduledFunctionId,
    StorageId,
    Validator,
    argument_name,
    normalize,
    pagination_opts,
    pagination_result,
    v,
    validator_of,
)

T = TypeVar("T")
Plain = NewType("Plain", str)


class Status(Enum):
    ON = "on"
    OFF = "off"


class Number(IntEnum):
    ONE = 1


class Point(TypedDict):
    x: float
    y: NotRequired[int]


class Loose(TypedDict, total=False):
    a: Required[str]
    b: list[float]


@dataclass
class Shape:
    name: str
    origin: Point
    scale: float = 1
    tags: list[str] = field(default_factory=list)
    hidden: int = field(default=0, init=False)


class Row(msgspec.Struct, rename="camel"):
    first_name: str
    weight: float = 0


class Node(TypedDict):
    children: "list[Node]"


class Box(TypedDict, Generic[T]):
    item: T


point = v.object(x=v.number(), y=v.optional(v.int()))


@pytest.mark.parametrize(
    ("annotation", "validator"),
    [
        (str, v.string()),
        (float, v.number()),
        (int, v.int()),
        (bool, v.boolean()),
        (bytes, v.bytes()),
        (None, v.null()),
        (Int64, v.int64()),
        (Any, v.any()),
        (object, v.any()),
        (list[str], v.array(v.string())),
        (list, v.array(v.any())),
        (Sequence[int], v.array(v.int())),
        (tuple[str, ...], v.array(v.string())),
        (dict, v.record(v.string(), v.any())),
        (dict[str, Any], v.record(v.string(), v.any())),
        (Mapping[str, int], v.record(v.string(), v.int())),
        (str | None, v.nullable(v.string())),
        (Optional[str], v.nullable(v.string())),  # noqa: UP045 - the old form is written too
        (Literal["a", 1, True], v.literal("a", 1, True)),
        (Literal["a"], v.literal("a")),
        (Literal["a", "b"] | None, v.union(v.literal("a"), v.literal("b"), v.null())),
        (Literal["a", None], v.nullable(v.literal("a"))),
        (Literal[Status.ON], v.literal("on")),
        (Status, v.literal("on", "off")),
        (Point, point),
        (Loose, v.object(a=v.string(), b=v.optional(v.array(v.number())))),
        (Box[int], v.object(item=v.any())),
        (Annotated[str, v.id("users")], v.id("users")),
        (Annotated[float, "a note"], v.number()),
        (StorageId, v.id("_storage")),
        (ScheduledFunctionId, v.id("_scheduled_functions")),
        (Plain, v.string()),
        (PaginationOptions, pagination_opts),
        (PaginationResult[Point], pagination_result(point)),
        (PaginationResult, pagination_result(v.any())),
        (v.null(), v.null()),
    ],
)
def test_stands_for(annotation: Any, validator: Validator) -> None:
    assert v.of(annotation) == validator


def test_classes_with_defaults_may_be_left_partly_out() -> None:
    described = validator_of(Shape).describe()
    assert described["name"] == "Shape"
    assert described["module"] == __name__
    assert {name: (each["optional"], each.get("default")) for name, each in described["value"].items()} == {
        "name": (False, None),
        "origin": (False, None),
        "scale": (True, True),
        "tags": (True, True),
        "hidden": (True, True),
    }
    assert list(validator_of(Row).describe()["value"]) == ["firstName", "weight"]


@dataclass
class Draft:
    text: str
    title: str = UNSET


def test_a_field_that_defaults_to_nothing_has_no_default() -> None:
    title = validator_of(Draft).describe()["value"]["title"]
    assert title == {"fieldType": {"type": "string"}, "optional": True}


def test_generated_ids_name_their_table() -> None:
    module = types.ModuleType("made_up_data_model")
    exec("from typing import NewType\nUsersId = NewType('UsersId', str)", module.__dict__)
    module.__dict__["ID_TABLES"] = {"UsersId": "users"}
    sys.modules[module.__name__] = module
    try:
        assert v.of(list[module.UsersId]) == v.array(v.id("users"))
    finally:
        del sys.modules[module.__name__]


def converted(annotation: Any, value: Any) -> Any:
    validator = validator_of(annotation)
    plain = normalize(value)
    validator.validate(plain)
    return validator.convert(plain) if validator.convert else plain


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (float, 3, 3.0),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (int, 1e20, 10**20),
        (float | None, 3, 3.0),
        (float | None, None, None),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Status, "on", Status.ON),
        (list[Status], ["off"], [Status.OFF]),
        (tuple[float, ...], [1], (1.0,)),
        (Point, {"x": 1, "y": 2}, {"x": 1.0, "y": 2}),
        (Shape, {"name": "a", "origin": {"x": 1}, "scale": 2}, Shape("a", {"x": 1.0}, 2.0)),
        (Row, {"firstName": "a", "weight": 3}, Row("a", 3.0)),
        (str | Shape, {"name": "a", "origin": {"x": 1}}, Shape("a", {"x": 1.0})),
        (Any, [1], [1]),
    ],
)
def test_converts(annotation: Any, value: Any, expected: Any) -> None:
    found = converted(annotation, value)
    assert found == expected
    assert repr(found) == repr(expected)  # tells 3 from 3.0


def test_what_was_converted_normalizes_to_what_it_was() -> None:
    value = {"name": "a", "origin": {"x": 1}, "scale": 2.5, "tags": []}
    shape = converted(Shape, value)
    assert normalize(shape) == {**value, "hidden": 0}
    assert converted(Shape, normalize(shape)) == shape
    assert normalize(converted(Status, "on")) == "on"


def test_pages_are_mappings_with_attributes() -> None:
    page: Any = converted(
        PaginationResult[Point],
        {"page": [{"x": 1}], "isDone": True, "continueCursor": "c", "splitCursor": None, "pageStatus": None},
    )
    assert isinstance(page, PaginationResult)
    assert repr(page.page) == "[{'x': 1.0}]"
    assert (page.isDone, page.continueCursor, page.splitCursor, page.pageStatus) == (True, "c", None, None)
    assert page["page"] is page.page
    mapped = page.map(lambda item: item["x"])
    assert mapped.page == [1.0]
    assert normalize(mapped) == {
        "page": [1],
        "isDone": True,
        "continueCursor": "c",
        "splitCursor": None,
        "pageStatus": None,
    }


def test_what_a_constructor_refuses_is_an_argument_error() -> None:
    @dataclass
    class Picky:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError("negative")

    with pytest.raises(ArgumentError, match="Picky refused its fields: negative"):
        converted(Picky, {"n": -1})


def test_wire_names_of_arguments() -> None:
    assert argument_name(Annotated[str, v.arg("sessionId")]) == "sessionId"
    assert argument_name(Annotated[str, v.string()]) is None
    assert argument_name(str) is None


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (datetime.datetime, "datetime has no Convex type"),
        (set[str], "has no Convex type"),
        (tuple[int, str], "use tuple"),
        (Number, "only enums of strings"),
        (Node, "contains itself"),
        ("str", "is a string"),
        (dict[int, str], "keys of v.record"),
        (list[datetime.date], "date has no Convex type"),
    ],
)
def test_no_convex_type(annotation: Any, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        v.of(annotation)


def test_the_field_that_has_no_convex_type_is_named() -> None:
    @dataclass
    class Wrong:
        when: datetime.datetime

    with pytest.raises(ProjectError, match="field 'when': datetime has no Convex type") as caught:
        v.of(Wrong)
    assert "from_ms" in (caught.value.hint or "")
