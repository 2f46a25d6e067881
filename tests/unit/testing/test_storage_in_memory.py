"""Files with `convexpy.testing`: stored by actions, uploaded and fetched by tests, gone an hour after they were deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.storage_app import STORAGE_APP

from convexpy import FunctionError
from convexpy.functions import QueryPlan
from convexpy.testing._client import LocalTest
from convexpy.testing._local import LocalDeployment


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app") / "convex"
    folder.mkdir()
    for name, text in STORAGE_APP.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def local(app: Path) -> Iterator[LocalDeployment]:
    deployment = LocalDeployment(app)
    yield deployment
    deployment.close()


def names(local: LocalDeployment) -> list[str]:
    async def listed() -> list[str]:
        return [blob.name async for blob in local.deployment.files.blobs.list()]

    return local.wait(listed())


def test_an_action_stores_and_a_test_fetches(local: LocalDeployment) -> None:
    convex = LocalTest(local)
    id = convex.action("files:store", text="hello")
    url = convex.query("files:url", id=id)
    answer = convex.fetch(url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"hello",
        "text/plain",
    )
    assert convex.fetch(url, headers={"Range": "bytes=1-2"}).content == b"el"
    assert convex.fetch(url, method="HEAD").headers["content-length"] == "5"
    assert convex.action("files:read", id=id)[0] == "hello"
    assert convex.query("files:metadata", id=id)["size"] == 5
    with convex.subscribe("files:url", id=id) as live:
        assert live.value == url
        convex.mutation("files:delete", id=id)
        assert live.next() is None
    assert convex.fetch(url).status_code == 404


def test_a_test_uploads(local: LocalDeployment) -> None:
    convex = LocalTest(local)
    url = convex.mutation("files:upload_url")
    answer = convex.fetch(url, method="POST", content=b"picture", headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    id = answer.json()["storageId"]
    assert convex.action("files:read", id=id)[:3] == ["picture", "image/png", 7]
    convex.advance(timedelta(minutes=59))
    assert convex.fetch(url, method="POST", content=b"x").status_code == 200
    convex.advance(timedelta(minutes=2))
    late = convex.fetch(url, method="POST", content=b"x")
    assert (late.status_code, late.json()["code"]) == (401, "StorageTokenExpired")


def test_all_kinds_of_content(local: LocalDeployment, tmp_path: Path) -> None:
    convex = LocalTest(local)
    assert convex.action("files:store_kinds", folder=str(tmp_path)) == ["content"] * 7
    assert convex.action("files:store_kinds_blocking", folder=str(tmp_path)) == ["content"] * 5
    with pytest.raises(FunctionError, match="the source broke"):
        convex.action("files:fails_midway")
    assert len(names(local)) == 12
    assert list(local.deployment.files.blobs.spool.iterdir()) == []


def test_bytes_go_an_hour_after_the_deletion(local: LocalDeployment) -> None:
    convex = LocalTest(local)
    kept, gone = (convex.action("files:store", text=text) for text in ("kept", "gone"))
    convex.mutation("files:delete", id=gone)
    for minutes, left in ((0, 2), (59, 2), (2, 1), (60, 1)):
        convex.advance(timedelta(minutes=minutes))
        local.wait(local.deployment.files.sweep())
        assert len(names(local)) == left
    assert convex.action("files:read", id=kept)[0] == "kept"

    assert convex.run(private_records) == 1


def private_records(ctx: Any) -> int:
    transaction = ctx.db._host
    transaction.is_privileged = True
    return len(list(transaction.stream(QueryPlan("_file_storage", system=True))))


def test_bytes_that_never_became_a_file_go_after_a_day(local: LocalDeployment) -> None:
    convex = LocalTest(local)
    kept = convex.action("files:store", text="kept")

    async def orphan() -> None:
        async def chunks():  # type: ignore[no-untyped-def]
            yield b"x"

        await local.deployment.files.blobs.put("11111111-1111-4111-8111-111111111111", chunks())

    local.wait(orphan())
    for hours, left in ((23, 2), (2, 1), (48, 1)):
        convex.advance(timedelta(hours=hours))
        local.wait(local.deployment.files.sweep())
        assert len(names(local)) == left
    assert convex.action("files:read", id=kept)[0] == "kept"


def test_what_killed_actions_left_goes_after_a_day(local: LocalDeployment) -> None:
    spool = local.deployment.files.blobs.spool
    two_days_ago = time.time() - 2 * 86_400
    for name in ("store-old", "store-new"):
        (spool / name).write_bytes(b"half")
    os.utime(spool / "store-old", (two_days_ago, two_days_ago))
    local.wait(local.deployment.files.sweep())
    assert [path.name for path in spool.iterdir()] == ["store-new"]


def test_many_deletions_are_swept_in_slices(local: LocalDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    from convexpy.sandbox.system import files

    monkeypatch.setattr(files, "BATCH", 3)
    convex = LocalTest(local)
    for n in range(10):
        convex.mutation("files:delete", id=convex.action("files:store", text=str(n)))
    convex.advance(timedelta(hours=2))
    local.wait(local.deployment.files.sweep())
    assert names(local) == []
