"""Laws of the encodings: what goes in comes out, and bytes sort as values do."""

import functools
import json
import math
from random import Random
from typing import Any

import pytest
from convex.values import ConvexInt64, convex_to_json
from hypothesis import example, given, strategies as st

from convexpy.errors import ArgumentError
from convexpy.values import (
    UNSET,
    Int64,
    compare,
    decode_document,
    decode_export,
    decode_id,
    decode_key,
    decode_wire,
    encode_clean,
    encode_document,
    encode_export,
    encode_id,
    encode_key,
    encode_value,
    encode_wire,
    from_json,
    key_boundaries,
    nesting,
    new_internal_id,
    normalize,
    prefix_successor,
    size,
    size_of,
    to_json,
)

names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=6).filter(
    lambda name: not name.startswith("$")
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats()
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.text(max_size=8)
    | st.text("a\0é\U0001f600\uffff", max_size=4)
    | st.binary(max_size=8)
    | st.binary(max_size=3).map(lambda data: data.replace(b"1", b"\0"))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=5)
special = [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1e300, 2.0**53, 2.0**53 + 2, 2**53, -(2**53)]


def same(a: Any, b: Any) -> bool:
    """Equality that tells apart what Convex does: types, signs of zero, and NaN equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return bool(a == b)


@given(values)
@example(special)
def test_wire_form_round_trips(value: Any) -> None:
    plain = normalize(value)
    assert same(decode_wire(encode_wire(plain)), plain)
    assert same(from_json(json.loads(json.dumps(to_json(value), allow_nan=False))), plain)


@given(objects)
@example({"all": special, "text": "a$b", "quoted": '"$'})
def test_stored_form_round_trips(document: dict[str, Any]) -> None:
    plain = normalize(document)
    assert same(decode_document(encode_document(plain)), plain)


@given(values)
@example([1, 7.0, 1e20, -0.0])
def test_export_form_round_trips(value: Any) -> None:
    plain = normalize(value)
    assert same(decode_export(encode_export(plain)), plain)


@given(values)
def test_normalizing_twice_changes_nothing(value: Any) -> None:
    plain = normalize(value)
    assert same(normalize(plain), plain)


@given(values)
def test_equal_values_have_equal_wire_bytes(value: Any) -> None:
    plain = normalize(value)
    shuffled = normalize(dict(reversed(plain.items()))) if isinstance(plain, dict) else plain
    assert encode_wire(plain) == encode_wire(shuffled)


def rank(value: Any) -> int:
    kinds: list[Any] = [type(UNSET), type(None), Int64, (int, float), bool, str, bytes, list, dict]
    if isinstance(value, bool):
        return 4
    return next(number for number, kind in enumerate(kinds) if isinstance(value, kind))


def order(a: Any, b: Any) -> int:
    """The order of values as the specification words it, with nothing shared with the encoding."""
    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    if isinstance(a, dict):
        a, b = ([[name, fields[name]] for name in sorted(fields)] for fields in (a, b))
    if isinstance(a, list):
        for left, right in zip(a, b, strict=False):
            if found := order(left, right):
                return found
        return (len(a) > len(b)) - (len(a) < len(b))
    if isinstance(a, str):
        a, b = a.encode(), b.encode()
    if rank(a) == 3:
        a, b = number_key(a), number_key(b)
    if a is None or a is UNSET:
        return 0
    return (a > b) - (a < b)


def number_key(value: float) -> tuple[int, float, float]:
    return (1, 0, 0) if value != value else (0, value, math.copysign(1, value))


@given(st.one_of(st.just(UNSET), values), st.one_of(st.just(UNSET), values))
@example("a", "a\0")
@example({}, {"": None})
@example([], [UNSET][:0])
@example(-0.0, 0.0)
@example(Int64(2**62), -1.5)
def test_keys_sort_as_values_do(a: Any, b: Any) -> None:
    a, b = (value if value is UNSET else normalize(value) for value in (a, b))
    left, right = encode_value(a), encode_value(b)
    assert (left > right) - (left < right) == order(a, b) == compare(a, b)


@given(st.lists(values, min_size=1, max_size=3), st.lists(values, min_size=1, max_size=3))
def test_keys_of_several_values_sort_value_by_value(a: list[Any], b: list[Any]) -> None:
    length = min(len(a), len(b))
    a, b = normalize(a[:length]), normalize(b[:length])
    left, right = encode_key(a), encode_key(b)
    assert (left > right) - (left < right) == order(a, b)


@given(st.lists(st.one_of(st.just(UNSET), values), max_size=4))
def test_boundaries_and_decoding_give_the_values_back(parts: list[Any]) -> None:
    parts = [part if part is UNSET else normalize(part) for part in parts]
    key = encode_key(parts)
    ends = key_boundaries(key)
    assert ends == [len(encode_key(parts[: count + 1])) for count in range(len(parts))]
    assert same(decode_key(key), parts)


@given(values, values, values)
@example("a", "a\0", 1)
@example({}, {"": 1}, None)
def test_prefix_range_holds_exactly_the_keys_with_these_values(equal: Any, other: Any, rest: Any) -> None:
    equal, other, rest = normalize([equal, other, rest])
    lower = encode_key([equal])
    upper = prefix_successor(lower)
    assert lower <= encode_key([equal, rest]) < upper
    inside = lower <= encode_key([other, rest]) < upper
    assert inside == (order(equal, other) == 0)


def test_successor_of_nothing_is_behind_every_key() -> None:
    assert encode_key([{"~": [b"\xff" * 9]}]) < prefix_successor(b"")


@given(values)
def test_size_is_the_sum_of_its_parts(value: Any) -> None:
    plain = normalize(value)
    assert size([value, value]) == 2 + 2 * size_of(plain)
    assert size({"ab": value}) == 2 + 3 + size_of(plain)
    assert nesting([plain]) == 1 + nesting(plain)


def to_official(value: Any) -> Any:
    if isinstance(value, Int64):
        return ConvexInt64(int(value))
    if isinstance(value, list):
        return [to_official(item) for item in value]
    if isinstance(value, dict):
        return {name: to_official(item) for name, item in value.items()}
    return value


@given(values)
@example(special)
def test_wire_form_is_that_of_the_official_python_client(value: Any) -> None:
    plain = normalize(value)
    official = convex_to_json(to_official(plain))
    assert json.dumps(to_json(plain), sort_keys=True) == json.dumps(from_whole(official), sort_keys=True)


def from_whole(official: Any) -> Any:
    """Write whole floats as the canonical form does."""
    if isinstance(official, float):
        return int(official) if official.is_integer() and abs(official) <= 2**53 else official
    if isinstance(official, list):
        return [from_whole(item) for item in official]
    if isinstance(official, dict):
        return {name: from_whole(item) for name, item in official.items()}
    return official


@given(st.integers(1, 2**32 - 1), st.binary(min_size=16, max_size=16))
def test_ids_round_trip(table: int, internal: bytes) -> None:
    text = encode_id(table, internal)
    assert 31 <= len(text) <= 37
    assert decode_id(text) == (table, internal)


@given(st.integers(1, 2**32 - 1), st.binary(min_size=16, max_size=16), st.data())
def test_an_id_with_another_character_is_no_id_of_the_same_document(
    table: int, internal: bytes, data: st.DataObject
) -> None:
    text = encode_id(table, internal)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyzABC_+- é"))
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        assert decode_id(changed) != (table, internal)
    found = decode_id(changed)
    if found is not None:
        assert encode_id(*found) == changed


@pytest.mark.parametrize(
    ("table", "internal", "text"),
    [
        (10001, "00112233445566778899aabbccdd4dac", "j57004926d25askqh2ctneycvn6tsrzk"),
        (10002, "00112233445566778899aabbccdd4dac", "j97004926d25askqh2ctneycvn6tss05"),
        (513, "00112233445566778899aabbccdd4dac", "g42004926d25askqh2ctneycvn6ts2f9"),
        (10001, "000102030405060708090a0b0c0d0e0f", "j57000820c20a1g7104gm2rc1m70ynr8"),
    ],
)
def test_ids_are_the_published_ones(table: int, internal: str, text: str) -> None:
    assert encode_id(table, bytes.fromhex(internal)) == text
    assert decode_id(text) == (table, bytes.fromhex(internal))


def test_new_internal_ids_end_in_the_day_of_their_making() -> None:
    random = Random(1)
    first, second = (new_internal_id(random, 19884 * 86_400_000 + 5) for _ in range(2))
    assert first[-2:] == second[-2:] == (19884).to_bytes(2, "big")
    assert first != second


@pytest.mark.parametrize(
    "text", ["", "j57004926d25askqh2ctneycvn6tsrz", "J57004926D25ASKQH2CTNEYCVN6TSRZK", "0" * 32]
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert decode_id(text) is None


def test_published_keys() -> None:
    found = [
        encode_value(value).hex() for value in (1, -1, -0.0, 0, "a", Int64(-1), Int64(128), [], {"": None})
    ]
    assert found == [
        "0dbff0000000000000",
        "0d400fffffffffffff",
        "0d7fffffffffffffff",
        "0d8000000000000000",
        "106100",
        "07ff",
        "0a0080",
        "1200",
        "1500ff0300",
    ]


def test_int64_sorts_by_value_across_sizes() -> None:
    numbers = sorted({sign * 2**bits + step for bits in range(63) for sign in (1, -1) for step in (-1, 0, 1)})
    keys = [encode_value(Int64(number)) for number in numbers]
    assert keys == sorted(keys)
    assert [decode_key(key)[0] for key in keys] == numbers


def test_clean_form_reads_naturally() -> None:
    value = {"a": Int64(42), "b": b"hi", "c": math.nan, "d": -math.inf, "e": 7, "f": [-0.0, "x"]}
    assert encode_clean(value) == b'{"a":"42","b":"aGk=","c":"NaN","d":"-Infinity","e":7.0,"f":[-0.0,"x"]}'


def test_stored_form_can_be_read_by_a_person() -> None:
    value = {"n": Int64(-42), "x": -0.0, "y": math.inf, "b": b"hi", "f": 7.0}
    assert encode_document(value) == (
        b'{"n":{"$integer":"-42"},"x":{"$float":"-0"},"y":{"$float":"Infinity"},"b":{"$bytes":"aGk="},"f":7}'
    )


def test_order_of_all_types() -> None:
    ladder = [UNSET, None, Int64(-1), Int64(5), -math.inf, -1, -0.0, 0.0, 1, math.inf, math.nan]
    ladder += [
        False,
        True,
        "",
        "a",
        "a\0",
        "b",
        "é",
        "\uffff",
        "\U0001f600",
        b"",
        b"\0",
        [],
        [1],
        {},
        {"a": 1},
    ]
    shuffled = ladder[1::2] + ladder[::2]
    assert sorted(shuffled, key=functools.cmp_to_key(compare)) == ladder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"$set": []}', "starts with '$'"),
        ('{"a": {"$commitTs": null}}', "at $.a"),
        ('{"$float": "AAAAAAAA8D8="}', "Float64 1.0 at $ should be encoded as a number"),
        ('{"$integer": "AA=="}', "8 bytes"),
        ('{"$integer": 5}', "base64"),
        ('{"$bytes": "*"}', "base64"),
        ("[NaN]", "not a JSON value"),
        ("1e999", "not a JSON value"),
        ('["\\ud800"]', "not a JSON value"),
        ("1" * 5000, "not a JSON value"),
        ('{"a": {"é": 1}}', "invalid character"),
        ("[" * 65 + "]" * 65, "nested 65 levels deep > maximum nesting 64"),
    ],
)
def test_what_is_no_value_on_the_wire_is_refused(text: str, words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        decode_wire(text)
    assert words in caught.value.message


def test_large_whole_numbers_on_the_wire_are_floats() -> None:
    assert same(decode_wire("[7.0, 100000000000000000000, 9007199254740992, -0.0]"), [7, 1e20, 2**53, -0.0])
