"""What app code may hand in, and the texts for what it may not."""

import copy
import math
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest

from convexpy.errors import ArgumentError
from convexpy.limits import (
    ARRAY_LENGTH_MAX,
    DOCUMENT_SIZE_BYTES_MAX,
    FIELD_NAME_LENGTH_MAX,
    OBJECT_FIELDS_MAX,
)
from convexpy.values import (
    UNSET,
    Int64,
    check_document_limits,
    decode_wire,
    from_ms,
    moment_ms,
    normalize,
    normalize_patch,
    size_of,
    span_ms,
    to_json,
    to_ms,
)


class Color(Enum):
    RED = "red"


class Name(StrEnum):
    ANN = "ann"


class Level(IntEnum):
    LOW = 1


class Pair(NamedTuple):
    left: int
    right: float


@dataclass
class Point:
    x: float
    label: Any = UNSET


class Row(msgspec.Struct, rename="camel"):
    first_name: str
    extra: int | msgspec.UnsetType = msgspec.UNSET


class Text(str):
    pass


class Wide(Enum):
    BIG = 1


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (3.0, 3),
        (-3.0, -3),
        (0.0, 0),
        (2.0**53, 2**53),
        (Color.RED, "red"),
        (Name.ANN, "ann"),
        (Level.LOW, 1),
        (Pair(1, 2.0), [1, 2]),
        (Point(1.0), {"x": 1}),
        (Point(1.5, "a"), {"x": 1.5, "label": "a"}),
        (Row("Ann"), {"firstName": "Ann"}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Text("t"), "t"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        ({"a": UNSET, "b": {"c": UNSET}}, {"b": {}}),
    ],
)
def test_stands_for(given: Any, plain: Any) -> None:
    found = normalize(given)
    assert found == plain
    assert type(found) is type(plain)


def test_negative_zero_and_large_floats_stay_floats() -> None:
    found = normalize([-0.0, 2.0**53 + 2, math.nan])
    assert [type(number) for number in found] == [float, float, float]
    assert math.copysign(1, found[0]) == -1


def test_containers_are_fresh() -> None:
    given: dict[str, Any] = {"a": [1], "b": {}}
    found = normalize(given)
    found["a"].append(2)
    found["b"]["c"] = 1
    assert given == {"a": [1], "b": {}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"items": [1, 2, 3, {"when": datetime.now(UTC)}]},
            "unsupported value at $.items[3].when: datetime (pass milliseconds, e.g. to_ms(when))",
        ),
        ({1, 2}, "unsupported value at $: set (pass a list"),
        ([Decimal(1)], "unsupported value at $[0]: Decimal"),
        (Point, "unsupported value at $: type"),
        ([print], "unsupported value at $[0]: builtin_function_or_method"),
        ([1, UNSET], "unsupported value at $[1]: UNSET"),
        (Wide.BIG, "unsupported value at $: Wide"),
        ({"n": 2**53 + 1}, "Integer 9007199254740993 at $.n is outside of ±2^53"),
        ({"n": 2**53 + 1}, "Int64(n)"),
        ({"$x": 1}, "Field name $x starts with '$', which is reserved"),
        ({"é": 1}, "Field name 'é' has invalid character 'é'"),
        ({"a\x7f": 1}, "invalid character"),
        ({1: 2}, "1 is not a string"),
        (["\ud800"], "lone surrogate"),
    ],
)
def test_refused_with_its_place(given: Any, words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        normalize(given)
    assert words in caught.value.message


def test_the_path_starts_where_the_caller_says() -> None:
    with pytest.raises(ArgumentError, match=r"^unsupported value at value\.a: set"):
        normalize({"a": set()}, path="value")


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


LIMITS = [
    (
        [0] * ARRAY_LENGTH_MAX,
        [0] * (ARRAY_LENGTH_MAX + 1),
        "Array length is too long (8193 > maximum length 8192)",
    ),
    (
        {f"f{n}": 0 for n in range(OBJECT_FIELDS_MAX)},
        {f"f{n}": 0 for n in range(OBJECT_FIELDS_MAX + 1)},
        "Object has too many fields (1025 > maximum number 1024)",
    ),
    (
        {"x" * FIELD_NAME_LENGTH_MAX: 0},
        {"x" * (FIELD_NAME_LENGTH_MAX + 1): 0},
        "(1025 > maximum length 1024)",
    ),
    (deep(64), deep(65), "Value is too nested (nested 65 levels deep > maximum nesting 64)"),
]


@pytest.mark.parametrize(("fits", "over", "words"), LIMITS)
def test_limits_hold_for_app_code_and_for_clients(fits: Any, over: Any, words: str) -> None:
    assert decode_wire(msgspec.json.encode(to_json(fits))) == normalize(fits)
    with pytest.raises(ArgumentError) as by_app:
        normalize(over)
    with pytest.raises(ArgumentError) as by_client:
        decode_wire(msgspec.json.encode(over))
    assert words in by_app.value.message
    assert words in by_client.value.message


def test_documents_have_their_own_limits() -> None:
    fits = {"a": deep(15)}
    check_document_limits(fits)
    with pytest.raises(
        ArgumentError, match=r"Document is too nested \(nested 17 levels deep > maximum nesting 16\)"
    ):
        check_document_limits({"a": deep(16)})
    room = DOCUMENT_SIZE_BYTES_MAX - size_of({"a": ""})
    check_document_limits({"a": "x" * room})
    with pytest.raises(ArgumentError, match=r"Value is too large \(1.00 MiB > maximum size 1 MiB\)"):
        check_document_limits({"a": "x" * (room + 1)})
    check_document_limits({"_id": "x", "_creationTime": 1})
    with pytest.raises(ArgumentError, match="'_other' starts with an underscore"):
        check_document_limits({"_other": 1})


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ArgumentError, match="too nested"):
        normalize(loop)


def test_a_patch_keeps_unset_at_the_top_only() -> None:
    found = normalize_patch({"a": UNSET, "b": {"c": UNSET, "d": 1.0}})
    assert found["a"] is UNSET
    assert found["b"] == {"d": 1}
    with pytest.raises(ArgumentError, match="expected an object"):
        normalize_patch([1])


def test_unset_is_one_and_false() -> None:
    assert copy.deepcopy(UNSET) is UNSET
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert not UNSET
    assert repr(UNSET) == "UNSET"


def test_int64_is_bounded_and_says_so() -> None:
    assert repr(Int64(5)) == "Int64(5)"
    assert str(Int64(-5)) == "-5"
    assert Int64(2**63 - 1) == 2**63 - 1
    assert pickle.loads(pickle.dumps(Int64(7))) == 7
    with pytest.raises(ArgumentError, match="64 bits"):
        Int64(2**63)


def test_time_is_milliseconds() -> None:
    moment = datetime(2024, 6, 10, 6, 13, 20, 250_000, tzinfo=UTC)
    assert to_ms(moment) == 1_718_000_000_250.0
    assert from_ms(1_718_000_000_250.0) == moment
    assert moment_ms(moment) == moment_ms(1_718_000_000_250.0)
    assert span_ms(timedelta(minutes=5)) == span_ms(300_000)
    with pytest.raises(ArgumentError, match="time zone"):
        to_ms(moment.replace(tzinfo=None))
    for wrong in (True, math.nan, "5"):
        with pytest.raises(ArgumentError, match="a duration is milliseconds"):
            span_ms(wrong)  # type: ignore[arg-type]
