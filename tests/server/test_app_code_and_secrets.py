"""What app code can find out about its server: no secret in its processes, and nothing private with a user of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import ServerProcess, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux has them"),
]
APP = """
import gc, os
from pathlib import Path
from convexpy import action, mutation, query

@query
def me(ctx) -> list[float]:
    return [os.getuid(), os.getgid(), len(os.getgroups())]

@action
def environment(ctx, pid: float) -> str:
    try:
        return Path(f"/proc/{int(pid)}/environ").read_text()
    except OSError as error:
        return type(error).__name__

@action
def own_environment(ctx) -> dict[str, str]:
    return dict(os.environ)

@action
def initial_environment(ctx) -> str:
    pid, found = os.getpid(), ""
    for pid in (os.getpid(), os.getppid()):
        try:
            found += Path(f"/proc/{pid}/environ").read_text()
        except OSError:
            pass
    return found

@action
def knows(ctx, half: str, other: str) -> bool:
    "Look for a text in everything that this process can reach through its objects."
    secret = half + other
    return any(secret in repr(each) for each in gc.get_objects() if isinstance(each, (str, bytes, dict, list, tuple)))

@action
def read(ctx, file: str) -> str:
    try:
        return Path(file).read_bytes()[:20].hex()
    except OSError as error:
        return type(error).__name__

@action
def write(ctx, file: str, text: str) -> str:
    try:
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text)
        return "written"
    except OSError as error:
        return type(error).__name__

@mutation
def add(ctx) -> None:
    ctx.db.insert("t", {})

@query
def count(ctx) -> int:
    return ctx.db.query("t").count()

@action
async def store(ctx) -> str:
    id = await ctx.storage.store(b"stored")
    blob = await ctx.storage.get(id)
    return (await blob.read()).decode() if hasattr(blob, "read") else str(blob)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("secrets") / "data")
    running.push_ok({"fn.py": APP}, environment=[{"name": "TOKEN", "value": "variable-of-this-version"}])
    yield running
    running.close()


def test_no_secret_reaches_the_processes_of_app_code(plain: ServerProcess) -> None:
    keys = json.loads((plain.data / "keys.json").read_text())
    for secret in (keys["instanceSecret"], keys["adminKey"]):
        assert plain.call("action", "fn:knows", half=secret[:20], other=secret[20:]) is False
        assert secret not in str(plain.call("action", "fn:own_environment"))
    assert plain.call("action", "fn:own_environment")["TOKEN"] == "variable-of-this-version"


def test_variables_are_in_no_initial_environment(plain: ServerProcess) -> None:
    assert "variable-of-this-version" not in plain.call("action", "fn:initial_environment")


def test_a_file_of_a_new_key_counts_only_with_the_seal_of_the_deployment(plain: ServerProcess) -> None:
    from convexpy.access import KeyRecord, create_hashed_key, seal_record

    keys = json.loads((plain.data / "keys.json").read_text())

    def make(secret: str | None) -> str:
        key, key_id, digest = create_hashed_key(keys["name"])
        record = KeyRecord(key_id=key_id, digest=digest, name=f"new {key_id}", kind="admin", created_at=0.0)
        content = {"keyId": key_id, "digest": digest, "name": "x", "kind": "admin", "createdAt": 0.0}
        text = json.dumps(content) if secret is None else seal_record(secret, record).decode()
        path = str(plain.data / "new-keys" / f"{key_id}.json")
        assert plain.call("action", "fn:write", file=path, text=text) == "written"
        return key

    for key, status in ((make(None), 401), (make("0" * 64), 401), (make(keys["instanceSecret"]), 200)):
        headers = {"Authorization": f"Convex {key}"}
        answer = plain.request("GET", "/api/check_admin_key", headers=headers)
        assert answer[0] in ((401, 403) if status == 401 else (200,)), answer


def can_change_user() -> bool:
    """Say whether we are root, and another user can run this Python and its packages."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    command = [sys.executable, "-c", "import convexpy.sandbox.worker"]
    env = ServerProcess.environment()
    try:
        ran = subprocess.run(
            command, user="nobody", extra_groups=[], env=env, cwd="/", capture_output=True, check=False
        )
    except OSError:
        return False
    return ran.returncode == 0


needs_root = pytest.mark.skipif(not can_change_user(), reason="needs root, and a Python that others can run")


@pytest.fixture
def separated(tmp_path: Path) -> Iterator[ServerProcess]:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and "pytest" in str(folder):
            folder.chmod(0o755)
    running = ServerProcess(
        tmp_path / "data", env={"CONVEXPY_EXECUTOR_USER": "nobody", "SECRET_OF_HOST": "host"}
    )
    yield running
    running.close()


@needs_root
def test_executors_of_another_user_can_read_what_they_need_and_no_key(separated: ServerProcess) -> None:
    separated.push_ok({"fn.py": APP})
    import pwd

    nobody = pwd.getpwnam("nobody")
    assert separated.call("query", "fn:me") == [nobody.pw_uid, nobody.pw_gid, 0]
    for _ in range(3):
        separated.call("mutation", "fn:add")
    assert separated.call("query", "fn:count") == 3
    assert separated.call("action", "fn:store")
    data = separated.data
    private = [data / "keys.json", data.with_name(f"{data.name}.secret-key"), Path("/etc/shadow")]
    for path in private:
        assert separated.call("action", "fn:read", file=str(path)) in ("PermissionError", "FileNotFoundError")
    assert separated.call("action", "fn:read", file=str(data / "keys.json")) == "PermissionError"
    for path in (data / "new-keys" / "a.json", data / "data.db", data / "versions" / "x", data / "keys.json"):
        assert separated.call("action", "fn:write", file=str(path), text="x") == "PermissionError"
    assert separated.call("action", "fn:environment", pid=separated.process.pid) == "PermissionError"
    separated.kill()
    separated.start()
    assert separated.call("query", "fn:count") == 3
    separated.call("mutation", "fn:add")
    wait_for(lambda: separated.call("query", "fn:count") == 4, what="the write after a restart")


def test_a_user_that_cannot_be_is_an_error_at_start(tmp_path: Path) -> None:
    env = ServerProcess.environment({"CONVEXPY_EXECUTOR_USER": "no-such-user-here"})
    command = ServerProcess.command(tmp_path / "data", "--port", "0", "--site-port", "0")
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode != 0
    assert "CONVEXPY_EXECUTOR_USER" in ended.stderr
    assert "Traceback" not in ended.stderr
