"""The index from written keys to queries finds what comparing with every range finds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.database import ReadSet, ReadSetIndex
from convexpy.database._intervals import Interval, IntervalSet
from convexpy.values import Int64, encode_key, prefix_successor

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1.5,
        Int64(-1),
        Int64(300),
        "",
        "a",
        "a\0",
        "ab",
        b"",
        b"\xff",
        [],
        ["a"],
        [[]],
        {},
        {"": ""},
    ]
)
KEYS = st.tuples(VALUES, VALUES, st.sampled_from([1.5, 2.5]), st.sampled_from(["id1", "id2"])).map(list)


def brute(ranges: dict[int, list[Any]], keys: list[tuple[int, bytes]]) -> set[int]:
    return {
        token
        for token, held in ranges.items()
        for index, lower, upper in held
        for at, key in keys
        if at == index and lower <= key and (upper is None or key < upper)
    }


@st.composite
def bounds(draw: st.DrawFn) -> list[Any]:
    """A range as transactions make them: prefixes, bounds on the next field, cut behind or before a key."""
    if draw(st.integers(0, 4)) == 0:
        id = draw(st.sampled_from([b"id1", b"id2", b"id3"]))
        return draw(
            st.sampled_from([[-7, id, id + b"\0"], [-7, b"", b"\xff"], [-7, id, b"\xff"], [-7, b"", id]])
        )
    key = draw(KEYS)
    prefix = encode_key(key[: draw(st.integers(0, 3))])
    lower, upper = prefix, prefix_successor(prefix)
    kind = draw(st.sampled_from(["whole", "lower", "upper", "behind", "before", "point", "open"]))
    if kind == "lower":
        lower = prefix + encode_key([draw(VALUES)])
        lower = prefix_successor(lower) if draw(st.booleans()) else lower
    if kind == "upper":
        upper = prefix + encode_key([draw(VALUES)])
        upper = prefix_successor(upper) if draw(st.booleans()) else upper
    if kind == "behind":
        lower = encode_key(key) + b"\0"
    if kind == "before":
        upper = encode_key(key) + b"\0"
    if kind == "point":
        lower, upper = encode_key(key), encode_key(key) + b"\0"
    index = draw(st.sampled_from([5, 6]))
    return [index, lower, None if kind == "open" else upper]


WRITTEN = st.tuples(st.sampled_from([5, 6]), KEYS.map(encode_key)) | st.tuples(
    st.just(-7), st.sampled_from([b"id1", b"id2", b"id3"])
)


@pytest.mark.slow
@given(
    st.lists(st.lists(bounds(), max_size=4), min_size=1, max_size=40),
    st.lists(WRITTEN, max_size=12),
    st.randoms(use_true_random=False),
)
def test_it_finds_what_brute_force_finds(
    held: list[list[Any]], keys: list[tuple[int, bytes]], chance: random.Random
) -> None:
    index = ReadSetIndex()
    alive: dict[int, list[Any]] = {}
    for token, ranges in enumerate(held):
        index.put(token, ranges)
        alive[token] = ranges
        if chance.random() < 0.3:
            gone = chance.choice(sorted(alive))
            index.remove(gone)
            del alive[gone]
        assert index.touched(keys) == brute(alive, keys)
    for token in list(alive):
        index.remove(token)
    assert index.touched(keys) == set()
    assert (len(index), index._whole, index._parts, index._depths) == (0, {}, {}, {})


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=200),
    st.randoms(use_true_random=False),
)
def test_intervals_are_found_after_any_adding_and_removing(
    spans: list[tuple[int, int]], chance: random.Random
) -> None:
    tree = IntervalSet()
    alive: dict[int, Interval] = {}
    for token, (start, length) in enumerate(spans):
        alive[token] = Interval(b"%03d" % start, b"%03d" % (start + length), token)
        tree.add(alive[token])
        if chance.random() < 0.4:
            tree.remove(alive.pop(chance.choice(sorted(alive))))
        assert len(tree) == len(alive)
    for point in range(0, 80, 7):
        found: set[int] = set()
        tree.collect(b"%03d" % point, found)
        assert found == {t for t, one in alive.items() if one.lower <= b"%03d" % point < one.upper}


def test_looking_up_grows_with_matches_and_not_with_subscriptions() -> None:
    """Counts the intervals looked at, which does not depend on the machine."""

    class Counting(bytes):
        compared = 0

        def __le__(self, other: Any) -> bool:
            Counting.compared += 1
            return bytes.__le__(self, other)

    def steps(size: int) -> int:
        tree = IntervalSet()
        for number in random.Random(1).sample(range(size), size):
            start = Counting(b"%08d" % (number * 10))
            tree.add(Interval(start, b"%08d" % (number * 10 + 9), number))
        found: set[int] = set()
        Counting.compared = 0
        tree.collect(b"%08d" % (size * 5 + 5), found)
        assert found == {size // 2}
        return Counting.compared

    assert steps(8192) < steps(128) + 200


def test_a_read_set_joins_what_overlaps_and_leaves_out_what_is_empty() -> None:
    reads = ReadSet()
    reads.add(5, b"b", b"d")
    reads.add(5, b"c", b"f")
    reads.add(5, b"x", b"x")
    reads.add(6, b"c", b"d")
    reads.points.add((1, "id"))
    reads.points.add((1, "id"))
    growing = reads.add(5, b"f", b"f")
    growing.upper = b"g"
    assert reads.encoded() == [[-1, b"id", b"id\0"], [5, b"b", b"g"], [6, b"c", b"d"]]


def test_a_token_may_get_other_ranges_and_an_unknown_one_may_go() -> None:
    index = ReadSetIndex()
    for ranges in ([[5, b"", None]], [[-7, b"id", b"id\0"]], [[-7, b"id", b"id\0"]]):
        index.put(1, ranges)
    index.remove(99)
    assert index.touched([(5, encode_key([1]))]) == set()
    assert index.touched([(-7, b"id")]) == {1}
    assert len(index) == 1
