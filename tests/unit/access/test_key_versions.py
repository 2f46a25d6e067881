"""The two versions of admin keys: digests for new ones, signatures for those made before, and no way from one to the other."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given, strategies as st

from convexpy.access import AdminKeys, InvalidKey, KeyRecord, create_hashed_key, create_instance_secret

NAME = "shop"


def record(key_id: str, digest: str = "") -> KeyRecord:
    return KeyRecord(key_id=key_id, digest=digest, name="n", kind="deploy", created_at=0.0, expires_at=100.0)


def test_a_key_made_before_digests_is_still_good() -> None:
    keys = AdminKeys(NAME, create_instance_secret())
    old = keys.create()
    key_id = old.partition("|")[2][2:18]
    with pytest.raises(InvalidKey):
        keys.verify(old, 0.0)
    keys.records = {key_id: record(key_id)}
    assert keys.verify(old, 0.0).access.kind == "deploy"
    with pytest.raises(InvalidKey):
        keys.verify(old, 100.0)


def test_the_secret_signs_no_key_that_has_a_digest() -> None:
    keys = AdminKeys(NAME, create_instance_secret())
    signed = keys.create()
    key_id = signed.partition("|")[2][2:18]
    keys.records = {key_id: record(key_id, hashlib.sha256(b"another").hexdigest())}
    with pytest.raises(InvalidKey):
        keys.verify(signed, 0.0)


def test_a_new_key_is_good_with_its_record_until_it_expires() -> None:
    keys = AdminKeys(NAME, create_instance_secret())
    key, key_id, digest = create_hashed_key(NAME)
    keys.records = {key_id: record(key_id, digest)}
    for text in (key, f"prod:{key}", key.upper().replace("SHOP", "shop")):
        assert keys.verify(text, 99.0).record == keys.records[key_id]
    with pytest.raises(InvalidKey):
        keys.verify(key, 100.0)
    with pytest.raises(InvalidKey):
        AdminKeys("other", create_instance_secret()).verify(key, 0.0)
    keys.records[key_id] = msgspec.structs.replace(keys.records[key_id], digest="")
    with pytest.raises(InvalidKey):
        keys.verify(key, 0.0)


@given(st.integers(0, 65), st.integers(0, 15))
def test_no_changed_digit_is_overlooked(place: int, digit: int) -> None:
    keys = AdminKeys(NAME, create_instance_secret())
    key, key_id, digest = create_hashed_key(NAME)
    keys.records = {key_id: record(key_id, digest)}
    at = len(NAME) + 1 + place
    changed = key[:at] + f"{digit:x}" + key[at + 1 :]
    if changed == key:
        assert keys.verify(changed, 0.0)
    else:
        with pytest.raises(InvalidKey):
            keys.verify(changed, 0.0)


@given(st.binary(max_size=40))
def test_what_is_no_key_asks_for_no_odd_file(raw: bytes) -> None:
    asked: list[str] = []
    keys = AdminKeys(NAME, create_instance_secret())
    keys.find_unknown = lambda key_id: asked.append(key_id)
    with pytest.raises(InvalidKey):
        keys.verify(f"{NAME}|02{raw.hex()}", 0.0)
    assert all(set(each) <= set("0123456789abcdef") for each in asked)
