"""Results as clients get them: whole numbers with a point, everything else as in the wire form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from convex.values import json_to_convex
from hypothesis import given, strategies as st

from convexpy.values import Int64, decode_wire, encode_result, encode_wire, normalize

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5) | st.binary(max_size=4)
    | st.integers(-(2**63), 2**63 - 1).map(Int64),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4, b"4.0"), (-7, b"-7.0"), (0, b"0.0"), (2**53, b"9007199254740992.0"), (1.5, b"1.5"), (True, b"true"), (None, b"null"),
        ([1, "1", [2]], b'[1.0,"1",[2.0]]'), ({"b": 1, "a": {"c": 2}}, b'{"a":{"c":2.0},"b":1.0}'), (1e300, b"1e300"),
        (-0.0, b'{"$float":"AAAAAAAAAIA="}'), (Int64(4), b'{"$integer":"BAAAAAAAAAA="}'), ("4", b'"4"'), (b"4", b'{"$bytes":"NA=="}'),
    ],
)  # fmt: skip
def test_whole_numbers_have_a_point(value: Any, text: bytes) -> None:
    assert encode_result(normalize(value)) == text


@given(VALUES)
def test_it_is_the_same_value_and_the_official_python_client_reads_it(value: Any) -> None:
    canonical = normalize(value)
    encoded = encode_result(canonical)
    assert encode_wire(decode_wire(encoded)) == encode_wire(canonical)
    json_to_convex(json.loads(encoded))
