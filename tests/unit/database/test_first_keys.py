"""What is remembered between reads: bounded, and kept right when a key comes or goes."""

import pytest
from hypothesis import given, strategies as st

from convexpy.database import _first_keys
from convexpy.database._first_keys import UNKNOWN, FirstKeys
from convexpy.database._own_writes import SORT_FROM, OwnKeys
from convexpy.values import encode_key, key_boundaries

PARTS = st.one_of(st.none(), st.integers(0, 2), st.text("ab\0", max_size=2))
KEYS = st.lists(PARTS, min_size=1, max_size=3).map(encode_key)


def test_what_is_asked_for_stays_and_the_rest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_first_keys, "FIRST_KEYS_MAX", 100)
    kept = FirstKeys()
    kept.keep(5, b"used", False, (b"used", "id"))
    for number in range(1_000):
        kept.keep(5, b"%d" % number, False, None)
        assert kept.get(5, b"used", False) == (b"used", "id")
        assert kept.size_bytes <= 101 * _first_keys.ENTRY_OVERHEAD_BYTES
    assert kept.get(5, b"0", False) is UNKNOWN
    assert kept.get(5, b"999", False) is None


CHANGES = st.lists(st.tuples(KEYS, st.booleans()), max_size=20)


@given(st.sets(KEYS), st.sets(KEYS), CHANGES, st.booleans())
def test_first_keys_follow_the_keys_that_come_and_go(
    present: set[bytes], prefixes: set[bytes], changes: list[tuple[bytes, bool]], desc: bool
) -> None:
    def first(prefix: bytes) -> bytes | None:
        """Return the first key that starts with the values of a prefix."""
        found = [
            key for key in present if key.startswith(prefix) and len(prefix) in (0, *key_boundaries(key))
        ]
        return (max if desc else min)(found, default=None)

    cache = FirstKeys()
    for prefix in (b"", *prefixes):
        key = first(prefix)
        cache.keep(5, prefix, desc, None if key is None else (key, "id"))
    for key, comes in changes:
        if comes:
            present.add(key)
        elif key in present:
            present.remove(key)
        else:
            continue
        cache.changed(5, key, "id" if comes else None)
        for prefix in (b"", *prefixes):
            known, expected = cache.get(5, prefix, desc), first(prefix)
            if known is None or known[1]:
                assert (known and known[0]) == expected
            elif expected is not None:  # only a bound is known: no key comes before it
                assert expected < known[0] if desc else expected >= known[0]


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
