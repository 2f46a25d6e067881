"""Hashing: at most so many at once, so many waiting, and the rest refused at once."""

from __future__ import annotations

import asyncio

import pytest

from convexpy import ConvexError
from convexpy.auth import Cost, _hashing
from convexpy.auth._hashing import Hashing


def test_beyond_a_bound_hashes_are_refused_and_the_others_are_made() -> None:
    async def attempts() -> list[object]:
        hashing = Hashing(Cost(memory_kib=64, passes=1))
        many = (hashing.check(None, "wrong") for _ in range(_hashing.WAITING_MAX + 20))
        return await asyncio.gather(*many, return_exceptions=True)

    results = asyncio.run(attempts())
    refused = [result for result in results if isinstance(result, ConvexError)]
    assert [each.data["code"] for each in refused] == ["TooManyAttempts"] * 20
    assert [result for result in results if result not in refused] == [(False, None)] * _hashing.WAITING_MAX


@pytest.mark.parametrize("known", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$broken"])
def test_what_is_no_hash_fits_no_password(known: str) -> None:
    hashing = Hashing(Cost(memory_kib=64, passes=1))
    assert not asyncio.run(hashing.check(known, "anything")).is_right
