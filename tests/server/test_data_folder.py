"""A data folder that is damaged, full, or open to others: what a server does with it."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.production import ProductionServer

APP = """
from convexpy import mutation, query

@query
def titles(ctx) -> list[str]:
    return [item["title"] for item in ctx.db.query("items").collect()]

@mutation
def add(ctx, title: str) -> str:
    return ctx.db.insert("items", {"title": title})
"""


def failed_start(data: Path, **options: Any) -> dict[str, Any]:
    """Return the error of a server that must not start; the last line of what it says, and no traceback."""
    command = ServerProcess.command(data, "--production", "--port", "0", "--single-port")
    done = subprocess.run(
        command,
        env=ServerProcess.environment({"PYTHONDONTWRITEBYTECODE": "1"}),  # none that a limit cuts off
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **options,
    )
    assert done.returncode not in (0, 70), done.stderr
    assert "Traceback" not in done.stderr
    error: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["hint"], error
    return error


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a production server that has stored a few documents."""
    before = os.umask(0)
    try:
        data = tmp_path_factory.mktemp("stopped") / "data"
        server = ProductionServer(data, "--single-port", interpreter=True)  # it inherits the umask
    finally:
        os.umask(before)
    try:
        server.push_ok({"fn.py": APP})
        for n in range(3):
            server.call("mutation", "fn:add", title=f"title {n}")
        assert server.stop() == 0
        yield server.data
    finally:
        server.close()


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it, with the key that encrypts variables."""
    subprocess.run(["cp", "-a", stopped, f"{stopped}.secret-key", tmp_path], check=True)
    return tmp_path / stopped.name


def test_files_are_the_servers_alone_whatever_the_umask(stopped: Path) -> None:
    found = [stopped, stopped.with_name(f"{stopped.name}.secret-key"), *stopped.rglob("*")]
    wide = {str(path): oct(path.lstat().st_mode) for path in found if path.lstat().st_mode & 0o077}
    assert len(found) > 8
    assert wide == {}


def test_a_folder_that_others_can_read_is_named(data: Path) -> None:
    data.chmod(0o755)
    (data / "data.db").chmod(0o644)
    server = ProductionServer(data, "--single-port")
    try:
        said = server.errors()
        assert f"other users of this machine can read {data} and 1 more" in said
        assert f"chmod -R go-rwx {data}" in said
    finally:
        server.close()


def test_a_changed_document_is_an_error_and_not_an_answer(data: Path) -> None:
    connection = sqlite3.connect(data / "data.db")
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'items'").fetchone()
    with connection:
        connection.execute(f"UPDATE {sql.split()[-1]} SET document = replace(document, 'title 1', 'title 7')")
    connection.close()
    server = ProductionServer(data, "--single-port")
    try:
        call = {"path": "fn:titles", "args": {}}
        for admin, said in ((False, "Server Error"), (True, "table items")):
            _, answer, _ = server.request("POST", "/api/query", call, admin=admin)
            assert (answer["status"], said in answer["errorMessage"]) == ("error", True), answer
            assert "title 7" not in json.dumps(answer)
    finally:
        server.close()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"name": "x", "instanceSecret": "not hex"}', b"[]"]
)
def test_a_garbled_file_of_keys_is_named(data: Path, content: bytes) -> None:
    (data / "keys.json").write_bytes(content)
    error = failed_start(data)
    assert (error["code"], str(data / "keys.json") in error["message"]) == ("KeysDamaged", True)
    assert (data / "keys.json").read_bytes() == content


@pytest.mark.parametrize("content", [b"short", b"\xff\xfe\x00" * 40])
def test_a_garbled_secret_key_is_named(data: Path, content: bytes) -> None:
    file = data.with_name(f"{data.name}.secret-key")
    file.write_bytes(content)
    error = failed_start(data)
    assert (error["code"], str(file) in error["message"]) == ("SecretKeyTooShort", True)


def test_torn_logs_name_the_way_forward(data: Path) -> None:
    connection = sqlite3.connect(data / "log.db")
    with connection:
        connection.execute("DELETE FROM log WHERE seq > 2")
    connection.close()
    error = failed_start(data)
    assert error["code"] == "FilesMismatch"
    assert "doctor --salvage" in error["hint"]


def _limited(size: int) -> Any:
    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("size", [0, 100, 8192, 30_000])
def test_a_start_without_room_says_so(tmp_path: Path, size: int) -> None:
    error = failed_start(tmp_path / "data", preexec_fn=_limited(size))
    assert error["code"] in ("StorageFull", "StorageFailed", "CannotAppend")
    assert str(tmp_path) in error["message"] or "log" in error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a file system")
def test_a_full_disk_is_told_to_callers_in_production(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        server = ProductionServer(disk / "data", "--single-port")
        try:
            server.push_ok({"fn.py": APP})
            with (disk / "ballast").open("wb") as ballast:
                while os.statvfs(disk).f_bavail * 4096 > 200_000:
                    ballast.write(b"x" * 65536)
                    ballast.flush()
            call = {"path": "fn:add", "args": {"title": "x" * 300_000}, "format": "json"}
            status, answer, _ = server.request("POST", "/api/mutation", call)
            assert (status, answer["code"]) == (503, "NotCommitted")
            assert "full" in answer["message"]
            status, answer = server.push({"fn.py": APP, "more.py": f"TEXT = '{'x' * 400_000}'"})
            assert (status, answer["code"]) == (503, "StorageFull")
            (disk / "ballast").unlink()
            wait_for(lambda: server.request("POST", "/api/mutation", call)[0] == 200)
            assert len(server.call("query", "fn:titles")) == 1
        finally:
            server.close()
    finally:
        subprocess.run(["umount", disk], check=True)
