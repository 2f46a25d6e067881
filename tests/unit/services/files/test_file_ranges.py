"""Ranges, tags and digests of file requests."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import RequestError
from convexpy.http.streaming import Range, parse_range
from convexpy.services.files.routes import expected_sha256, matches


def range_of(header: str, size: int) -> Range | str | None:
    """Return the part, None, or the code of the refusal."""
    try:
        return parse_range(header, size)
    except RequestError as error:
        return error.code


@given(st.integers(1, 10_000), st.integers(0, 12_000), st.integers(0, 12_000))
def test_a_range_is_a_part_of_the_file(size: int, first: int, last: int) -> None:
    part = range_of(f"bytes={first}-{last}", size)
    if last < first:
        assert part is None
    elif first >= size:
        assert part == "RangeNotSatisfiable"
    else:
        assert part == Range(first, min(last + 1, size))


@given(st.integers(1, 10_000), st.integers(0, 12_000))
def test_a_suffix_is_the_end_of_the_file(size: int, length: int) -> None:
    part = range_of(f"bytes=-{length}", size)
    assert part == (Range(max(0, size - length), size) if length else "RangeNotSatisfiable")


@given(st.text(max_size=30), st.integers(1, 100))
def test_any_text_is_a_range_or_ignored_or_refused(text: str, size: int) -> None:
    part = range_of(text, size)
    if isinstance(part, Range):
        assert 0 <= part.start < part.end <= size
    else:
        assert part in (None, "RangeNotSatisfiable")


@given(st.text(max_size=60))
def test_any_digest_is_taken_or_refused(text: str) -> None:
    try:
        digest = expected_sha256(text)
    except RequestError as error:
        refusal = error.code
    else:
        refusal = None if digest is not None and len(digest) == 32 else "wrong"
    assert refusal in (None, "BadHeader")


@pytest.mark.parametrize(
    ("header", "matched"),
    [(None, False), ("", False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)  # fmt: skip
def test_tags(header: str | None, matched: bool) -> None:
    assert matches(header, '"a"') == matched
