"""Validators: what fits, what does not and how it is said, and their JSON."""

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import ArgumentError, ProjectError
from convexpy.values import (
    Int64,
    Validator,
    encode_id,
    load_validator,
    normalize,
    pagination_opts,
    pagination_result,
    v,
)

ID = encode_id(10001, bytes(16))
OTHER_ID = encode_id(10002, bytes(16))
SAMPLES = [
    None, True, False, 0, 1, 3.5, -0.0, math.nan, 1e20, Int64(1), "", "a", ID, b"", b"a", [], [1], ["a", 1],
    {}, {"a": 1}, {"a": "x"}, {"a": "x", "b": 1}, {"kind": "t", "text": "x"},
]  # fmt: skip

FITS: list[tuple[Validator, list[Any]]] = [
    (v.string(), ["", "a", ID]),
    (v.number(), [0, 1, 3.5, -0.0, math.nan, 1e20]),
    (v.int(), [0, 1, -0.0, 1e20]),
    (v.int64(), [Int64(1)]),
    (v.boolean(), [True, False]),
    (v.null(), [None]),
    (v.bytes(), [b"", b"a"]),
    (v.any(), SAMPLES),
    (v.id("users"), [ID]),
    (v.literal("a"), ["a"]),
    (v.literal(1), [1]),
    (v.literal(True), [True]),
    (v.literal(False), [False]),
    (v.literal(Int64(1)), [Int64(1)]),
    (v.literal("a", 0, False), ["a", 0, False]),
    (v.array(v.number()), [[], [1]]),
    (v.record(v.string(), v.number()), [{}, {"a": 1}]),
    (v.object(a=v.string()), [{"a": "x"}]),
    (v.object(a=v.any(), b=v.optional(v.number())), [{"a": 1}, {"a": "x"}, {"a": "x", "b": 1}]),
    (v.object(), [{}]),
    (v.union(v.string(), v.null()), [None, "", "a", ID]),
    (v.nullable(v.boolean()), [None, True, False]),
    (
        v.union(v.object(kind=v.literal("t"), text=v.string()), v.object(a=v.number())),
        [{"a": 1}, SAMPLES[-1]],
    ),
    (v.union(), []),
]


@pytest.mark.parametrize(("validator", "fitting"), FITS, ids=lambda part: repr(part)[:40])
def test_fits_exactly(validator: Validator, fitting: list[Any]) -> None:
    keys = [(type(value), repr(value)) for value in fitting]
    for sample in SAMPLES:
        expected = (type(sample), repr(sample)) in keys
        assert validator.fits(sample, None) == expected, sample
        assert (validator.violation(sample, "", None) is None) == expected
        if not expected:
            with pytest.raises(ArgumentError):
                validator.check(sample)


@pytest.mark.parametrize("validator", [validator for validator, _ in FITS], ids=repr)
def test_description_and_back_is_the_same_validator(validator: Validator) -> None:
    again = load_validator(validator.describe())
    assert again == validator
    assert repr(again) == repr(validator)
    assert hash(again) == hash(validator)
    assert load_validator(validator.export()).export() == validator.export()


def test_ids_are_checked_against_the_table_where_numbers_are_known() -> None:
    numbers = {"users": 10001, "messages": 10002}.get
    assert v.id("users").fits(ID, numbers)
    assert not v.id("users").fits(OTHER_ID, numbers)
    assert v.id("users").fits(OTHER_ID, None)
    assert not v.id("nowhere").fits(ID, numbers)
    with pytest.raises(
        ArgumentError, match=r'does not match the table name in validator `v\.id\("users"\)`'
    ) as caught:
        v.object(author=v.id("users")).validate({"author": OTHER_ID}, "", numbers)
    assert caught.value.message.endswith("Path: .author")


@pytest.mark.parametrize(
    ("validator", "value", "text"),
    [
        (
            v.object(author=v.string(), body=v.string()),
            {"author": "x"},
            "Object is missing the required field `body`. Consider wrapping the field validator in "
            "`v.optional(...)` if this is expected.\n\n"
            'Object: {author: "x"}\nValidator: v.object({author: v.string(), body: v.string()})',
        ),
        (
            v.object(a=v.string()),
            {"a": "", "x": 1.5},
            "Object contains extra field `x` that is not in the validator.\n\n"
            'Object: {a: "", x: 1.5}\nValidator: v.object({a: v.string()})',
        ),
        (
            v.object(n=v.number()),
            {"n": "a"},
            'Value does not match validator.\nPath: .n\nValue: "a"\nValidator: v.number()',
        ),
        (
            v.object(rows=v.array(v.object(x=v.boolean()))),
            {"rows": [{"x": True}, {"x": 1}]},
            "Value does not match validator.\nPath: .rows[1].x\nValue: 1.0\nValidator: v.boolean()",
        ),
        (
            v.object(o=v.object(a=v.null())),
            {"o": {}},
            "Object is missing the required field `a`. Consider wrapping the field validator in "
            "`v.optional(...)` if this is expected.\n\n"
            "Path: .o\nObject: {}\nValidator: v.object({a: v.null()})",
        ),
        (v.string(), None, "Value does not match validator.\nValue: null\nValidator: v.string()"),
        (
            v.record(v.string(), v.int()),
            {"a": 1, "b": 1.5},
            "Value does not match validator.\nPath: .b\nValue: 1.5\nValidator: v.int()",
        ),
        (
            v.literal("a", "b"),
            Int64(3),
            'Value does not match validator.\nValue: 3n\nValidator: v.union(v.literal("a"), v.literal("b"))',
        ),
    ],
)
def test_texts(validator: Validator, value: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        validator.check(value)
    assert caught.value.message == text


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ArgumentError) as caught:
        v.array(v.string()).check({"a": ["x" * 100] * 8000})
    assert len(caught.value.message) < 3000


def test_export_is_the_official_json() -> None:
    validator = v.object(
        body=v.string(),
        n=v.optional(v.int()),
        big=v.literal(Int64(5)),
        tags=v.array(v.nullable(v.bytes())),
        by=v.record(v.id("users"), v.any()),
    )
    assert validator.export() == {
        "type": "object",
        "value": {
            "body": {"fieldType": {"type": "string"}, "optional": False},
            "n": {"fieldType": {"type": "number"}, "optional": True},
            "big": {
                "fieldType": {"type": "literal", "value": {"$integer": "BQAAAAAAAAA="}},
                "optional": False,
            },
            "tags": {
                "fieldType": {
                    "type": "array",
                    "value": {"type": "union", "value": [{"type": "bytes"}, {"type": "null"}]},
                },
                "optional": False,
            },
            "by": {
                "fieldType": {
                    "type": "record",
                    "keys": {"type": "id", "tableName": "users"},
                    "values": {"fieldType": {"type": "any"}, "optional": False},
                },
                "optional": False,
            },
        },
    }
    assert validator.describe()["value"]["n"]["fieldType"] == {"type": "number", "int": True}


def test_object_algebra() -> None:
    base = v.object(a=v.string(), b=v.number())
    assert base.pick("a") == v.object(a=v.string())
    assert base.omit("a") == v.object(b=v.number())
    assert (
        base.extend(c=v.null())
        == base.extend({"c": v.null()})
        == v.object(a=v.string(), b=v.number(), c=v.null())
    )
    assert base.extend(a=v.null()).fields["a"] == v.null()
    assert base.partial() == v.object(a=v.optional(v.string()), b=v.optional(v.number()))
    assert list(base.fields) == ["a", "b"]
    with pytest.raises(ProjectError, match="no field 'z'"):
        base.pick("z")


def test_validators_do_not_change() -> None:
    validator = v.object(a=v.string())
    with pytest.raises(AttributeError):
        validator.name = "x"
    validator.fields["b"] = v.null()  # type: ignore[index]
    assert list(validator.fields) == ["a"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: v.array(v.optional(v.string())), "cannot be optional"),
        (lambda: v.union(v.optional(v.string())), "cannot be optional"),
        (lambda: v.array("string"), "must be a validator"),
        (lambda: v.object({"a": "string"}), "the field 'a' must be a validator"),
        (lambda: v.object({"$a": v.null()}), "starts with '\\$'"),
        (lambda: v.record(v.number(), v.null()), "keys of v.record must be strings or ids"),
        (lambda: v.record(v.literal("a"), v.null()), "keys of v.record must be strings or ids"),
        (lambda: v.literal(), "at least one value"),
        (lambda: v.literal(None), "a literal is"),
        (lambda: v.id(""), "name of a table"),
        (lambda: load_validator({"type": "set"}), "unknown validator"),
    ],
)
def test_wrong_definitions(make: Any, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        make()


def test_fields_are_one_mapping_or_keywords() -> None:
    with pytest.raises(TypeError, match="not both"):
        v.object({"a": v.null()}, b=v.null())  # type: ignore[call-overload]


def test_optional_of_optional_is_optional() -> None:
    assert v.optional(v.optional(v.string())) == v.optional(v.string())
    assert v.optional(v.string()) != v.string()


def test_pagination_validators() -> None:
    pagination_opts.check({"numItems": 2.0, "cursor": None, "id": 1})
    page = {
        "page": [{"a": 1}],
        "isDone": True,
        "continueCursor": "x",
        "splitCursor": None,
        "pageStatus": None,
    }
    pagination_result(v.object(a=v.number())).check(page)
    pagination_result(v.any()).check({**page, "pageStatus": "SplitRequired"})
    with pytest.raises(ArgumentError, match=r"Path: \.page\[0\]\.a"):
        pagination_result(v.object(a=v.string())).check(page)


values = st.recursive(
    st.sampled_from([None, True, 1, 0, 1.5, "a", Int64(1), b"a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def exact(value: Any) -> Validator:
    """The validator that only this value fits."""
    if isinstance(value, list):
        return v.array(v.union(*map(exact, value)))
    if isinstance(value, dict):
        return v.object({name: exact(item) for name, item in value.items()})
    if value is None:
        return v.null()
    return v.bytes() if isinstance(value, bytes) else v.literal(value)


@given(values, values)
def test_the_fast_answer_and_the_explanation_agree(value: Any, other: Any) -> None:
    validator = exact(normalize(value))
    assert validator.fits(value, None)
    assert validator.fits(other, None) == (validator.violation(other, "", None) is None)
