"""kill -9 while files are stored and removed: no half file, no document without its bytes, nothing acknowledged lost."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import ServerProcess, wait_for
from support.storage_app import STORAGE_APP

StartServer = Callable[..., ServerProcess]
GONE = (OSError, EOFError, http.client.HTTPException)
BEFORE_THE_DOCUMENT = (
    "files.before_sync",
    "files.before_rename",
    "files.after_rename",
    "files.before_document",
)
ORPHAN = "11111111-1111-4111-8111-111111111111"


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def upload(server: ServerProcess, data: bytes) -> str:
    path = server.call("mutation", "files:upload_url").removeprefix(server.url)
    status, answer, _ = server.request("POST", path, raw=data, headers={"Content-Type": "text/plain"})
    assert status == 200, answer
    id: str = answer["storageId"]
    return id


def blobs(server: ServerProcess) -> set[str]:
    return {path.name for path in (server.data / "storage").iterdir()} - {"tmp"}


def whole_files(server: ServerProcess) -> dict[str, str]:
    """Return digest by id of every document; each has its bytes, and nothing is left over from an upload."""
    found: dict[str, str] = {}
    for document in server.call("query", "files:documents"):
        url = server.call("query", "files:url", id=document["_id"])
        status, body, _ = server.request("GET", url.removeprefix(server.url))
        assert status == 200
        assert (sha256(body), len(body)) == (document["sha256"], document["size"])
        found[document["_id"]] = document["sha256"]
    assert list((server.data / "storage" / "tmp").iterdir()) == []
    return found


def age(server: ServerProcess) -> None:
    """Make every file look two days old."""
    moment = time.time() - 2 * 86_400
    for name in blobs(server):
        os.utime(server.data / "storage" / name, (moment, moment))


def store_by_upload(server: ServerProcess, text: str) -> str:
    return upload(server, text.encode())


def store_by_action(server: ServerProcess, text: str) -> str:
    id: str = server.call("action", "files:store", text=text)
    return id


@pytest.mark.parametrize("store", [store_by_upload, store_by_action])
@pytest.mark.parametrize("point", [*BEFORE_THE_DOCUMENT, "files.after_document"])
def test_killed_at_each_step_of_storing(
    start_server: StartServer, point: str, store: Callable[[ServerProcess, str], str]
) -> None:
    server = start_server(env={"CONVEXPY_PAUSE": f"{point}=kill@2"})
    server.push_ok(STORAGE_APP)
    acknowledged = store(server, "first")
    with pytest.raises(GONE):
        store(server, "second")
    server.process.wait(60)
    server.kill()
    server.start(env={})
    files = whole_files(server)
    assert files.pop(acknowledged) == sha256(b"first")
    if point == "files.after_document":
        # It was durable, the client was only not told.
        assert list(files.values()) == [sha256(b"second")]
    else:
        assert files == {}
    assert len(blobs(server)) - 1 == (
        point in ("files.after_rename", "files.before_document", "files.after_document")
    )
    third = store(server, "third")
    server.stop()
    # Bytes that never became a file go when they are old; files stay, however old.
    age(server)
    server.start()
    expected = 2 + len(files)
    wait_for(lambda: len(blobs(server)) == expected, what="orphans swept")
    assert whole_files(server).keys() == {acknowledged, third, *files}


@pytest.mark.parametrize("point", ["files.before_unlink", "files.after_unlink"])
def test_killed_while_removing(start_server: StartServer, point: str) -> None:
    server = start_server()
    server.push_ok(STORAGE_APP)
    kept = upload(server, b"kept")
    server.stop()
    (server.data / "storage" / ORPHAN).write_bytes(b"x")
    age(server)
    with contextlib.suppress(AssertionError):  # it may die before it is ready
        server.start(env={"CONVEXPY_PAUSE": f"{point}=kill"})
    server.process.wait(60)
    server.kill()
    assert (ORPHAN in blobs(server)) == (point == "files.before_unlink")
    server.start(env={})
    wait_for(lambda: len(blobs(server)) == 1, what="the orphan removed")
    assert whole_files(server) == {kept: sha256(b"kept")}


@pytest.mark.parametrize("point", ["files.before_sync", "files.before_rename"])
def test_a_disk_that_refuses_is_told_and_leaves_nothing(start_server: StartServer, point: str) -> None:
    server = start_server(env={"CONVEXPY_PAUSE": f"{point}=fail"})
    server.push_ok(STORAGE_APP)
    path = server.call("mutation", "files:upload_url").removeprefix(server.url)
    status, answer, _ = server.request("POST", path, raw=b"hello", headers={"Content-Type": "text/plain"})
    assert (status, answer["code"]) == (503, "FileStorageFailed")
    assert blobs(server) == set()
    assert whole_files(server) == {}
    assert server.request("POST", path, raw=b"hello", headers={"Content-Type": "text/plain"})[0] == 200
    assert list(whole_files(server).values()) == [sha256(b"hello")]


def test_deletions_are_durable(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(STORAGE_APP)
    ids = [upload(server, f"file {n}".encode()) for n in range(6)]
    urls = [server.call("query", "files:url", id=id).removeprefix(server.url) for id in ids]
    for id in ids[:3]:
        server.call("mutation", "files:delete", id=id)
    server.kill()
    server.start()
    assert whole_files(server).keys() == set(ids[3:])
    assert [server.request("GET", url)[0] for url in urls] == [404] * 3 + [200] * 3
    server.stop()
    # Deleted just now: the bytes stay for the hour, however old they are.
    age(server)
    (server.data / "storage" / ORPHAN).write_bytes(b"x")
    age(server)
    server.start()
    wait_for(lambda: ORPHAN not in blobs(server), what="a sweep")
    assert len(blobs(server)) == 6


def test_killed_at_random_moments_under_uploads(start_server: StartServer) -> None:
    seed = int(os.environ.get("CONVEXPY_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CONVEXPY_TEST_SEED={seed}")
    moments = random.Random(seed)
    server = start_server()
    server.push_ok(STORAGE_APP)
    acknowledged: dict[str, str] = {}
    deleted: set[str] = set()
    errors: list[BaseException] = []
    stopping = threading.Event()

    def work(number: int) -> None:
        numbers = random.Random(f"{seed} {number} {time.monotonic_ns()}")
        mine: list[str] = []
        try:
            while not stopping.is_set():
                data = numbers.randbytes(numbers.choice([0, 10, 5_000, 300_000, 3_000_000]))
                id = upload(server, data)
                acknowledged[id] = sha256(data)
                mine.append(id)
                if len(mine) > 4:
                    gone = mine.pop(numbers.randrange(len(mine)))
                    deleted.add(gone)  # before: whether it happens is not known when the answer is lost
                    server.call("mutation", "files:delete", id=gone)
        except GONE:
            pass
        except BaseException as error:
            errors.append(error)

    for _ in range(8):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        wanted = len(acknowledged) + moments.randint(1, 15)
        for thread in threads:
            thread.start()
        wait_for(
            lambda wanted=wanted: errors or len(acknowledged) >= wanted,
            within_s=60,
            what="uploads before a kill",
        )
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        assert errors == []
        files = whole_files(server)
        for id, digest in acknowledged.items():
            assert id in deleted or files.get(id) == digest
    stopping.set()
    print(f"{len(acknowledged)} acknowledged, {len(deleted)} deleted")


def test_the_spool_of_a_dead_server_is_emptied(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(STORAGE_APP)
    server.kill()
    half: Path = server.data / "storage" / "tmp" / "store-11111111-1111-4111-8111-111111111111"
    half.write_bytes(b"half")
    server.start()
    assert not half.exists()
    status, answer, _ = server.request("GET", f"/api/storage/{ORPHAN}")
    assert (status, answer["code"]) == (404, "FileNotFound")
