"""Validators in words, and what changed between two of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy import v
from convexpy.schema.shapes import in_words, shape, shape_changes, shape_lines


def described(validator: Any) -> dict[str, Any]:
    """Return the JSON form of a validator."""
    found: dict[str, Any] = validator.describe()
    return found


@pytest.mark.parametrize(
    ("validator", "text"),
    [
        (v.string(), "string"),
        (v.id("notes"), "Id<notes>"),
        (v.array(v.union(v.string(), v.null())), "(string | null)[]"),
        (v.array(v.number()), "number[]"),
        (v.literal("done"), '"done"'),
        (v.literal(True), "true"),
        (v.record(v.string(), v.number()), "Record<string, number>"),
        (v.object({"a": v.optional(v.any()), "b": v.bytes()}), "{ a?: any, b: bytes }"),
        (v.object({}), "{}"),
        (v.int64(), "int64"),
    ],
)
def test_words(validator: Any, text: str) -> None:
    assert shape(described(validator)) == text


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the changes between two objects."""
    return shape_changes(described(v.object(before)), described(v.object(after)))


def test_changes() -> None:
    assert changes({"a": v.string()}, {"a": v.string(), "b": v.optional(v.number())}) == [
        ("b", "+ b?: number")
    ]
    assert changes({"a": v.string(), "b": v.null()}, {"a": v.string()}) == [("b", "- b: null")]
    assert changes({"a": v.string()}, {"a": v.optional(v.string())}) == [("a", "now optional")]
    assert changes({"a": v.optional(v.string())}, {"a": v.number()}) == [
        ("a", "string → number; now required")
    ]
    one = v.union(v.literal("a"), v.literal("b"))
    other = v.union(v.literal("a"), v.literal("c"))
    assert changes({"s": one}, {"s": other}) == [("s", '"c" added to union; "b" removed from union')]
    assert shape_changes(None, described(v.string())) == [("", "any → string")]
    assert shape_lines(described(v.object({"a": v.string()}))) == ["a: string"]


leaves = st.sampled_from([v.string(), v.number(), v.null(), v.id("t"), v.literal(1)])
objects = st.dictionaries(st.sampled_from("abcd"), leaves | leaves.map(v.optional), max_size=4)


@given(objects, objects)
def test_there_are_changes_exactly_if_something_changed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = changes(before, after)
    assert bool(found) == (described(v.object(before)) != described(v.object(after)))
    assert len(found) <= len(before.keys() | after.keys())


def test_schedules() -> None:
    assert in_words({"type": "interval", "seconds": 300}) == "every 300 s"
    assert in_words({"type": "cron", "cronExpr": "*/5 * * * *"}) == "*/5 * * * *"
    assert in_words({"type": "daily", "hourUTC": 3, "minuteUTC": 0}) == "daily hourUTC=3 minuteUTC=0"
