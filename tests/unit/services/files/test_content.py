"""Bytes on their way: gathered, hashed, refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import RequestError
from convexpy.services.files.blobs import Content, batched, sha256_base64

PARTS = st.lists(st.binary(max_size=50), max_size=20)


async def stream(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(PARTS, st.integers(1, 60))
def test_batches_are_the_same_bytes_in_larger_pieces(parts: list[bytes], size: int) -> None:
    async def gather() -> list[bytes]:
        return [batch async for batch in batched(stream(parts), size)]

    batches = asyncio.run(gather())
    assert b"".join(batches) == b"".join(parts)
    assert all(len(batch) >= size for batch in batches[:-1])


@given(PARTS)
def test_content_knows_its_size_and_digest(parts: list[bytes]) -> None:
    async def pass_through() -> tuple[bytes, int, bytes]:
        content = Content(stream(parts))
        return b"".join([part async for part in content.stream()]), content.size, content.sha256

    whole = b"".join(parts)
    assert asyncio.run(pass_through()) == (whole, len(whole), hashlib.sha256(whole).digest())


@pytest.mark.parametrize(
    ("expected", "size_max", "code"),
    [(bytes(32), None, "Sha256Mismatch"), (None, 5, "FileTooLarge"), (bytes(32), 5, "FileTooLarge")],
)
def test_what_is_wrong_is_raised_before_the_end(
    expected: bytes | None, size_max: int | None, code: str
) -> None:
    async def consume() -> None:
        content = Content(stream([b"abc", b"def"]), expected=expected, size_max=size_max)
        async for _ in content.stream():
            pass

    with pytest.raises(RequestError) as caught:
        asyncio.run(consume())
    assert caught.value.code == code


def test_what_is_right_passes() -> None:
    async def consume() -> bytes:
        digest = hashlib.sha256(b"abcdef").digest()
        content = Content(stream([b"abc", b"def"]), expected=digest, size_max=6)
        return b"".join([part async for part in content.stream()])

    assert asyncio.run(consume()) == b"abcdef"
    assert sha256_base64(hashlib.sha256(b"hello").digest()) == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
