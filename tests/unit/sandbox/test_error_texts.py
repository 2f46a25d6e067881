"""Texts of errors have a limit: whatever the app put into them, they say how long they were."""

from __future__ import annotations

import pytest

from convexpy.errors import ArgumentError, ConvexError
from convexpy.limits import ERROR_TEXT_LENGTH_MAX, TRACEBACK_LENGTH_MAX
from convexpy.sandbox.executor import failure_of

LONG = "x" * 2_000_000


def chained() -> BaseException:
    error: BaseException | None = None
    for n in range(50):
        made = ValueError(f"{n} {LONG[:40_000]}")
        made.__cause__ = error
        error = made
    assert error is not None
    return error


def noted() -> BaseException:
    error = ValueError("short")
    error.add_note(LONG)
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError(LONG),
        ConvexError(LONG),
        ConvexError({"text": LONG}),
        ArgumentError(LONG),
        chained(),
        noted(),
    ],
    ids=["message", "data", "object", "argument", "causes", "notes"],
)
def test_a_failure_is_cut_at_the_limit(error: BaseException) -> None:
    failure = failure_of(error, "fn:f", "convex/")
    assert len(failure.detail) <= ERROR_TEXT_LENGTH_MAX + 200
    assert len(failure.traceback) <= TRACEBACK_LENGTH_MAX + 200
    assert "cut: the text has" in failure.detail + failure.traceback


def test_a_failure_within_the_limit_is_whole() -> None:
    assert (
        failure_of(ValueError("y" * 30_000), "fn:f", "convex/").detail
        == "Uncaught ValueError: " + "y" * 30_000
    )
