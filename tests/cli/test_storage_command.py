"""`convexpy storage` against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
Storage = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server") / "data")
    yield server
    server.close()


@pytest.fixture
def storage(deployed: ServerProcess, project: Path) -> Storage:
    """Run `convexpy storage …` in a process of its own, in the project's folder."""

    def run(*arguments: str, expect: int = 0, stdin: bytes = b"", key: str = "") -> Any:
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'cli'}",
            "CONVEXPY_URL": deployed.url,
            "CONVEXPY_DEPLOY_KEY": key or deployed.admin_key,
        }
        done = subprocess.run(
            [sys.executable, "-m", "convexpy_cli", "storage", *arguments],
            cwd=project, env=env, input=stdin, capture_output=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr.decode()
        return done

    return run


def code_of(done: Any) -> str:
    code: str = json.loads(done.stderr.splitlines()[-1])["error"]["code"] if done.stderr.strip() else ""
    return code or json.loads(done.stdout)["error"]["code"]


def test_files_go_there_and_back(storage: Storage, project: Path, deployed: ServerProcess) -> None:
    contents = {"a.txt": b"first", "b.png": os.urandom(3_000_000), "empty": b""}
    for name, data in contents.items():
        (project / name).write_bytes(data)
    ids = storage("put", *contents).stdout.decode().split()
    assert len(set(ids)) == 3
    for id, (name, data) in zip(ids, contents.items(), strict=True):
        info = json.loads(storage("info", id, "--json").stdout)
        assert (info["id"], info["sizeBytes"]) == (id, len(data))
        assert info["sha256"] == b64encode(hashlib.sha256(data).digest()).decode()
        assert info["contentType"] == {"a.txt": "text/plain", "b.png": "image/png", "empty": None}[name]
        assert storage("get", id, "-o", "-").stdout == data
        path = storage("get", id).stdout.decode().strip()
        assert path.startswith(id)
        assert (project / path).read_bytes() == data
        assert code_of(storage("get", id, "--json", expect=9)) == "FileExists"
        url = storage("url", id).stdout.decode().strip()
        status, body, _ = deployed.request("GET", url.removeprefix(deployed.url))
        assert (status, body) == (200, data)

    listed = json.loads(storage("list", "--json").stdout)
    assert json.loads(storage("list", "--limit", "2", "--json").stdout) == listed[:2]
    assert {file["id"] for file in listed} >= set(ids)
    largest = json.loads(storage("list", "--sort", "size", "--limit", "1", "--json").stdout)
    assert largest[0]["id"] == ids[1]
    images = storage("list", "--type", "image/*").stdout.decode()
    assert ids[1] in images
    assert ids[0] not in images

    assert code_of(storage("delete", *ids, "--json", expect=9)) == "ConsentRequired"
    assert (
        code_of(storage("delete", "--allow=data-delete", ids[0], "nonsense", "--json", expect=2))
        == "InvalidId"
    )
    assert storage("url", ids[0]).stdout
    storage("delete", "--allow=data-delete", *ids)
    assert code_of(storage("delete", ids[0], "--json", expect=1)) == "StorageIdNotFound"
    for command in ("url", "info", "get"):
        assert code_of(storage(command, ids[0], "--json", expect=1)) == "StorageIdNotFound"


def test_standard_input(storage: Storage) -> None:
    data = os.urandom(2_000_001)
    id = storage("put", "-", "--type", "application/x-tar", stdin=data).stdout.decode().strip()
    assert storage("get", id, "-o", "-").stdout == data
    assert json.loads(storage("info", id, "--json").stdout)["contentType"] == "application/x-tar"


def test_a_transfer_that_broke_off_goes_on(storage: Storage, project: Path) -> None:
    data = os.urandom(1_000_000)
    (project / "file").write_bytes(data)
    told = storage("put", "file")
    id = told.stdout.decode().strip()
    assert f"stored file · 976.6 KiB · {id}" in told.stderr.decode()
    (project / "copy.part").write_bytes(data[:300_000])
    storage("get", id, "-o", "copy")
    assert (project / "copy").read_bytes() == data
    assert not (project / "copy.part").exists()
    # What lies there may be of another file: then it is fetched anew the next time.
    (project / "copy.part").write_bytes(bytes(300_000))
    assert code_of(storage("get", id, "-o", "copy", "--json", expect=1)) == "Sha256Mismatch"
    storage("get", id, "-o", "copy")
    assert (project / "copy").read_bytes() == data


def test_what_is_refused(storage: Storage, deployed: ServerProcess) -> None:
    assert code_of(storage("put", "no-such-file", "--json", expect=1)) == "FileNotReadable"
    assert code_of(storage("put", "-", "-", "--json", expect=2)) == "UsageError"
    assert code_of(storage("list", "--sort", "name", "--json", expect=2)) == "UsageError"
    made = {"name": "reader", "kind": "read-only"}
    status, answer, _ = deployed.request("POST", "/api/convexpy/keys", made, admin=True)
    assert status == 200, answer
    key = answer["key"]
    storage("list", key=key)
    assert code_of(storage("put", "-", "--json", stdin=b"x", expect=5, key=key)) == "KeyKindForbidden"
    assert code_of(storage("delete", "x", "--json", expect=5, key=key)) == "KeyKindForbidden"


SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "pictures": define_table({"file": v.id("_storage"), "more": v.array(v.object({"id": v.id("_storage")}))}),
    "words": define_table({"text": v.string()}),
    "free": define_table(v.any()),
})
"""
WRITE = """
from convexpy import mutation

@mutation
def add(ctx, table: str, document: dict) -> str:
    return ctx.db.insert(table, document)
"""


def test_folders_and_patterns(storage: Storage, project: Path) -> None:
    for name in ("album/b.txt", "album/deep/er/a.txt", "x1.log", "x2.log", "x3.txt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    (project / "album" / "loop").symlink_to(project / "album")
    found = json.loads(storage("put", "album", "x*.log", "x3.txt", "--json").stdout)
    assert [each["name"] for each in found] == ["b.txt", "deep/er/a.txt", "x1.log", "x2.log", "x3.txt"]
    assert storage("get", found[1]["id"], "-o", "-").stdout == b"album/deep/er/a.txt"
    (project / "nothing").mkdir()
    assert code_of(storage("put", "nothing", "--json", expect=1)) == "FileNotReadable"
    assert code_of(storage("put", "*.none", "--json", expect=1)) == "FileNotReadable"


def test_what_is_stored_before_a_failure_is_named(storage: Storage, project: Path, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", "--file-mib", "1")
    try:
        (project / "fits").write_bytes(b"x")
        target = ("--url", server.url, "--admin-key", server.admin_key)
        # Standard input comes last.
        done = storage("put", "-", "fits", "--json", *target, stdin=bytes(2 * 1024 * 1024), expect=1)
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        (file,) = error["data"]["stored"]
        assert file["name"] == "fits"
        assert error["hint"].startswith("1 of 2 stored")
        assert storage("get", file["id"], "-o", "-", *target).stdout == b"x"
    finally:
        server.close()


def test_files_that_documents_point_to(storage: Storage, deployed: ServerProcess, project: Path) -> None:
    deployed.push_ok({"schema.py": SCHEMA, "write.py": WRITE})
    for name in "abcde":
        (project / name).write_text(name)
    a, b, c, d, e = storage("put", *"abcde").stdout.decode().split()
    for table, document in (
        ("pictures", {"file": a, "more": [{"id": b}]}),
        ("free", {"any": [{"where": c}]}),
        ("words", {"text": d}),
    ):
        deployed.call("mutation", "write:add", table=table, document=document)
    done = storage("list", "--unreferenced", "--limit", "0", "--json")
    listed = json.loads(done.stdout)
    assert {file["id"] for file in listed} & {a, b, c, d, e} == {d, e}
    assert {file["references"] for file in listed} == {0}
    assert "read 2 documents of free, pictures" in done.stderr.decode()

    refused = storage("delete", b, "--json", expect=9)
    error = json.loads(refused.stderr.splitlines()[-1])["error"]
    assert error["code"] == "ConsentRequired"
    assert [(each["table"], each["path"]) for each in error["data"]["references"]] == [
        ("pictures", "more[0].id")
    ]
    assert "in use by pictures" in refused.stderr.decode()
    storage("delete", e)
    storage("delete", b, "--allow=data-delete")
    storage("delete", c, "--unchecked")
    assert {file["id"] for file in json.loads(storage("list", "--json").stdout)} & {a, b, c, d, e} == {a, d}
