"""What is remembered between reads: bounded, and forgotten when a key comes or goes."""

from hypothesis import given, strategies as st

from convexpy.database._own_writes import SORT_FROM, OwnKeys
from convexpy.database._read_cache import MISSING, PointCache, _Generations
from convexpy.values import encode_key, key_boundaries

PARTS = st.one_of(st.none(), st.integers(0, 2), st.text("ab\0", max_size=2))
KEYS = st.lists(PARTS, min_size=1, max_size=3).map(encode_key)


def test_what_is_asked_for_stays_and_the_rest_goes() -> None:
    kept: _Generations[int, int] = _Generations(100, lambda entry: 1)
    kept.put(-1, 7)
    for number in range(1_000):
        kept.put(number, number)
        assert kept.get(-1, 0) == 7
        assert kept.weight <= 101
    assert kept.get(0, -5) == -5
    assert kept.get(999, -5) == 999


def test_a_heavy_entry_makes_room_too() -> None:
    kept: _Generations[int, bytes] = _Generations(100, len)
    for number in range(50):
        kept.put(number, b"x" * 60)
    assert kept.weight <= 120


@given(st.lists(KEYS, min_size=1, max_size=20), KEYS, st.booleans())
def test_a_changed_key_makes_all_its_prefixes_unknown_and_no_others(
    prefixes: list[bytes], changed: bytes, desc: bool
) -> None:
    cache = PointCache()
    for prefix in (b"", *prefixes):
        cache.keep(5, prefix, desc, (prefix, "id"))
    cache.keep(6, changed, desc, None)
    cache.forget(5, changed)
    ends = {0, *key_boundaries(changed)}
    for prefix in (b"", *prefixes):
        is_touched = changed.startswith(prefix) and len(prefix) in ends
        assert (cache.get(5, prefix, desc) is MISSING) == is_touched
    assert cache.get(6, changed, desc) is None


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "remove", "first"]), st.integers(0, 30)), max_size=80
)


@given(OPERATIONS, st.booleans())
def test_own_keys_are_in_order_whenever_somebody_reads(operations: list[tuple[str, int]], desc: bool) -> None:
    keys, model = OwnKeys(), set[bytes]()
    for what, number in operations:
        key = b"%02d" % number
        if what == "put":
            keys.put(key, "id")
            model.add(key)
        elif what == "remove" and key in model:
            keys.remove(key)
            model.discard(key)
        elif what == "first":
            inside = sorted((each for each in model if key <= each < b"25"), reverse=desc)
            assert keys.first(key, b"25", desc=desc) == (inside[0] if inside else None)
    for number in range(3 * SORT_FROM):
        keys.put(b"%03d" % number, None)
    assert keys.first(b"", b"\xff", desc=False) == min({*model, b"000"})
