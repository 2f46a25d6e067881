"""Conditions on documents: what holds for which document, and what is not a condition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import ArgumentError
from convexpy.sandbox.system.conditions import parse_condition

DOCUMENT: dict[str, Any] = {
    "status": "failed", "size": 12, "ratio": 0.5, "done": False, "note": None, "tags": ["a", "b"],
    "meta": {"kind": "image", "width": 640},
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'status == "failed"',
        'status == "failed" and size > 10',
        'status == "done" or size >= 12',
        "not done",
        "done == false",
        "note == null",
        "10 < size <= 12",
        "size == 12.0",
        "ratio > -1",
        'status in ("failed", "queued")',
        '"a" in tags',
        '"ail" in status',
        '"z" not in tags',
        'meta.kind == "image" and meta.width > 600',
        "has(meta.width) and not has(meta.height)",
        "missing != 3",
        'size != "12"',
        "not (missing > 3 or missing < 3 or missing == 3)",
        'not (size < "x" or size > "x")',
    ],
)
def test_it_holds(text: str) -> None:
    assert parse_condition(text)(DOCUMENT) is True


@pytest.mark.parametrize(
    "text", ["size > 12", 'status == "done"', "done", "status", "missing == null", "has(x)"]
)
def test_it_does_not_hold(text: str) -> None:
    assert parse_condition(text)(DOCUMENT) is False


@pytest.mark.parametrize(
    "text",
    [
        "", "status =", "status = 3", "status == ", "size + 1 > 3", "open('/etc/passwd')", "has()", "has(a, b)",
        "__import__('os').system('id')", "status.upper() == 'X'", "(lambda: 1)()", "[x for x in tags]", "size is 3",
        "f'{size}' == 'x'", "tags[0] == 'a'", "x" * 20_000, "(" * 500 + "a" + ")" * 500, "a\x00b", "b'x' == 3",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"conditions look like|at most"):
        parse_condition(text)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        holds = parse_condition(text)
    except ArgumentError:
        return
    assert holds(DOCUMENT) in (True, False)
