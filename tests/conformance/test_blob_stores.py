"""One suite over all stores of blobs: a folder, S3 (a real server)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from support.s3 import S3Server, s3_server

from convexpy.runtime import SystemClock
from convexpy.services.files.blobs import (
    BlobMissing,
    BlobStore,
    FolderBlobStore,
    StorageFailed,
    open_blob_store,
)

MIB = 1024 * 1024
Use = Callable[[BlobStore], Awaitable[None]]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


class Opened:
    """Opens the store under test; each opening finds what the one before left."""

    def __init__(self, make: Callable[[], BlobStore]) -> None:
        self._make = make

    def run(self, use: Use) -> None:
        async def work() -> None:
            store = self._make()
            await store.start()
            try:
                await use(store)
            finally:
                await store.close()

        asyncio.run(work())


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    if request.param == "folder":
        return Opened(lambda: open_blob_store(None, tmp_path))
    server: S3Server = request.getfixturevalue("s3")
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    bucket = server.bucket()
    return Opened(lambda: open_blob_store(f"s3://{bucket}/some/prefix", tmp_path))


def name() -> str:
    return str(uuid.uuid4())


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def content(store: BlobStore, blob: str, start: int, end: int) -> bytes:
    async with contextlib.aclosing(await store.read(blob, start, end)) as parts:
        return b"".join([part async for part in parts])


async def listed(store: BlobStore) -> dict[str, int]:
    return {blob.name: blob.size async for blob in store.list()}


@pytest.mark.parametrize("size", [0, 1, 5, 300_000, 17 * MIB + 3])
def test_what_was_put_is_read(blobs: Opened, size: int) -> None:
    data = os.urandom(size)
    blob = name()

    async def put(store: BlobStore) -> None:
        await store.put(blob, chunks(*[data[at : at + MIB] for at in range(0, size, MIB)]))

    async def read(store: BlobStore) -> None:
        assert await content(store, blob, 0, size) == data
        assert await listed(store) == {blob: size}
        for start, end in [(0, size // 2), (size // 3, size // 2), (size - 1, size), (size // 2, size)]:
            if 0 <= start < end:
                assert await content(store, blob, start, end) == data[start:end]

    blobs.run(put)
    blobs.run(read)


def test_content_that_breaks_off_leaves_nothing(blobs: Opened) -> None:
    class Breaks(Exception):
        pass

    async def broken(parts: int) -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield bytes(MIB)
        raise Breaks

    async def use(store: BlobStore) -> None:
        for parts in (0, 1, 20):
            with pytest.raises(Breaks):
                await store.put(name(), broken(parts))
        assert await listed(store) == {}
        assert list(store.spool.iterdir()) == []

    blobs.run(use)


def test_a_cancelled_put_leaves_nothing(blobs: Opened) -> None:
    async def use(store: BlobStore) -> None:
        waiting = asyncio.Event()

        async def stalls() -> AsyncIterator[bytes]:
            yield bytes(MIB)
            waiting.set()
            await asyncio.Event().wait()

        putting = asyncio.get_running_loop().create_task(store.put(name(), stalls()))
        async with asyncio.timeout(20):
            await waiting.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert await listed(store) == {}
        assert list(store.spool.iterdir()) == []

    blobs.run(use)


def test_a_file_of_the_spool_is_adopted(blobs: Opened) -> None:
    blob = name()
    data = os.urandom(2 * MIB + 1)

    async def use(store: BlobStore) -> None:
        path = store.spool / "store-x"
        path.write_bytes(data)
        await store.adopt(blob, path)
        assert not path.exists()
        assert await content(store, blob, 0, len(data)) == data

    blobs.run(use)


def test_a_blob_as_a_file(blobs: Opened) -> None:
    blob = name()
    data = os.urandom(3 * MIB)

    async def use(store: BlobStore) -> None:
        await store.put(blob, chunks(data))
        local = await store.local(blob)
        assert local.path.read_bytes() == data
        if local.temporary:
            local.path.unlink()
        assert await content(store, blob, 0, len(data)) == data
        assert list(store.spool.iterdir()) == []

    blobs.run(use)


def test_deleted_and_unknown_blobs(blobs: Opened) -> None:
    blob, other = name(), name()

    async def use(store: BlobStore) -> None:
        await store.put(blob, chunks(b"x"))
        await store.put(other, chunks(b"y"))
        await store.delete(blob)
        await store.delete(blob)
        for missing in (blob, name()):
            with pytest.raises(BlobMissing):
                await store.read(missing, 0, 1)
            with pytest.raises(BlobMissing):
                await store.local(missing)
        assert await listed(store) == {other: 1}
        assert list(store.spool.iterdir()) == []

    blobs.run(use)


def test_a_read_may_be_left_and_goes_on_after_a_deletion(blobs: Opened) -> None:
    blob = name()
    data = os.urandom(3 * MIB)

    async def use(store: BlobStore) -> None:
        await store.put(blob, chunks(data))
        left = await store.read(blob, 0, len(data))
        assert data.startswith(await anext(left))
        await left.aclose()
        got = [await content(store, blob, MIB, 2 * MIB) for _ in range(3)]
        assert got == [data[MIB : 2 * MIB]] * 3

    blobs.run(use)


def test_many_blobs_are_listed_with_their_times(blobs: Opened) -> None:
    names = sorted(name() for _ in range(30))
    clock = SystemClock()

    async def use(store: BlobStore) -> None:
        before = clock.now_ns() / 1e6
        for blob in names:
            await store.put(blob, chunks(b"z"))
        found = [blob async for blob in store.list()]
        assert sorted(blob.name for blob in found) == names
        # S3 tells whole seconds.
        assert all(before - 2000 < blob.modified_ms < clock.now_ns() / 1e6 + 2000 for blob in found)

    blobs.run(use)


@pytest.mark.slow
def test_s3_gives_up_the_parts_of_what_broke_off(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in s3.env.items():
        monkeypatch.setenv(key, value)
    bucket = s3.bucket()

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(MIB)
        raise ConnectionResetError("the sender went away")

    async def use(store: BlobStore) -> None:
        with pytest.raises(ConnectionResetError, match="went away"):
            await store.put(name(), broken())
        assert await listed(store) == {}

    Opened(lambda: open_blob_store(f"s3://{bucket}", tmp_path)).run(use)
    assert s3.unfinished(bucket) == 0


@pytest.mark.slow
def test_s3_that_does_not_answer_is_an_error(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in s3.env.items():
        monkeypatch.setenv(key, value)

    async def nothing(store: BlobStore) -> None:
        raise AssertionError("it started")

    with pytest.raises(StorageFailed, match="bucket"):
        Opened(lambda: open_blob_store("s3://no-such-bucket", tmp_path)).run(nothing)


def test_the_folder_is_tidied_at_start(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    (tmp_path / "tmp" / "deep").mkdir(parents=True)
    (tmp_path / "tmp" / "put-x").write_bytes(b"half")
    (tmp_path / "README").write_bytes(b"somebody's")
    blob = name()

    async def use() -> None:
        await store.start()
        await store.put(blob, chunks(b"x"))
        assert await listed(store) == {blob: 1}
        await store.close()

    asyncio.run(use())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([blob, "README", "tmp"])
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("wrong", ["../x", "", "a/b", "tmp", "..", "X" * 36])
def test_names_that_lead_elsewhere(tmp_path: Path, wrong: str) -> None:
    store = FolderBlobStore(tmp_path / "blobs")
    (tmp_path / "x").write_bytes(b"secret")

    async def use() -> None:
        await store.start()
        with pytest.raises(BlobMissing):
            await store.read(wrong, 0, 1)
        with pytest.raises(BlobMissing):
            await store.delete(wrong)
        with pytest.raises(BlobMissing):
            await store.put(wrong, chunks(b"x"))
        await store.close()

    asyncio.run(use())
    assert (tmp_path / "x").read_bytes() == b"secret"
