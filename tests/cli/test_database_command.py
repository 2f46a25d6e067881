"""`convexpy database copy`: a deployment moves to PostgreSQL and back, and is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.postgres import PASSWORD, PostgresServer
from support.processes import ServerProcess
from support.sockets import SyncSocket

pytestmark = pytest.mark.slow

SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string(), "n": v.any()}).index("by_text", ["text"])})
"""
APP = """
import os
from convexpy import mutation, query, v

@mutation
def write(ctx, text: str, n: v.any() = None):
    return ctx.db.insert("notes", {"text": text, "n": n})

@query
def read(ctx):
    return list(ctx.db.query("notes").with_index("by_text"))

@query
def variable(ctx):
    return os.environ["SECRET"]
"""


def copy(*arguments: str, **env: str) -> tuple[int, dict[str, Any]]:
    """Return status, and the result or the error."""
    done = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "database", "copy", "--json", *arguments],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert PASSWORD not in done.stdout + done.stderr
    if done.returncode:
        error: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["error"]
        return done.returncode, error
    result: dict[str, Any] = json.loads(done.stdout)
    return 0, result


def refused_start(data: Path, url: str) -> str:
    """Return what a server says that does not start."""
    done = subprocess.run(
        ServerProcess.command(data, "--port", "0", "--site-port", "0"),
        env=ServerProcess.environment({"CONVEXPY_DATABASE_URL": url}),
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr


def fill(server: ServerProcess) -> str:
    """Write documents of all kinds, a variable and a replay record; return the session."""
    server.push_ok({"schema.py": SCHEMA, "fn.py": APP})
    values = [
        None,
        True,
        1.5,
        {"$integer": "AQAAAAAAAAA="},
        {"$bytes": "AAE="},
        {"$float": "AAAAAAAA+H8="},
        "\0 😀",
    ]
    for n, value in enumerate(values):
        server.call("mutation", "fn:write", text="x" * n * 1000, n=value)
    changes = {"changes": [{"name": "SECRET", "value": "kept secret"}]}
    assert server.request("POST", "/api/update_environment_variables", changes, admin=True)[0] == 200
    session = str(uuid.uuid4())
    with SyncSocket(server.url, session=session) as client:
        client.mutation(0, "fn:write", text="once", n=None)
        client.until(lambda message: message["type"] == "MutationResponse")
    return session


def everything(server: ServerProcess) -> Any:
    return server.call("query", "fn:read"), server.call("query", "fn:variable")


def repeat(server: ServerProcess, session: str) -> None:
    """Repeat a mutation that was answered before: it must not run again."""
    before = len(server.call("query", "fn:read"))
    with SyncSocket(server.url, session=session) as client:
        client.mutation(0, "fn:write", text="once", n=None)
        assert client.until(lambda message: message["type"] == "MutationResponse")["success"]
    assert len(server.call("query", "fn:read")) == before


@pytest.mark.parametrize("clean", [True, False])
def test_a_deployment_moves_to_postgresql_and_back(
    tmp_path: Path, postgres: PostgresServer, clean: bool
) -> None:
    url = postgres.secret_url()
    server = ServerProcess(tmp_path / "data")
    try:
        session = fill(server)
        before = everything(server)
        assert copy("--from", str(server.data), "--to", url)[1]["code"] == "DataFolderInUse"
        server.stop() if clean else server.kill()
        status, done = copy("--from", str(server.data), "--to", url)
        assert status == 0, done
        assert done["documents"] > len(before[0])
        assert done["replayRecords"] == 1
        assert "is in a database" in refused_start(server.data, "")
        server.database = url
        server.start(env={})
        assert everything(server) == before
        repeat(server, session)
        server.call("mutation", "fn:write", text="later")
        before = everything(server)
        assert copy(f"--from={url}", "--to", str(server.data))[1]["code"] == "DatabaseInUse"
        server.stop() if clean else server.kill()
        assert copy(f"--from={url}", "--to", str(server.data))[1]["code"] == "DataFolderUnusable"
        for name in ("log.db", "data.db"):
            (server.data / name).rename(tmp_path / name)
        status, done = copy("--to", str(server.data), CONVEXPY_DATABASE_URL=url)
        assert status == 0, done
        assert done["replayRecords"] == 1
        server.database = ""
        server.start(env={})
        assert everything(server) == before
        repeat(server, session)
        assert copy("--from", str(server.data), "--to", url)[1]["code"] == "DataFolderInUse"
    finally:
        server.close()


def test_a_copy_that_was_broken_off_is_not_served_and_begins_anew(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.url()
    server = ServerProcess(tmp_path / "data")
    try:
        fill(server)
        before = everything(server)
        server.stop()
        out = ("--from", str(server.data), "--to", url)
        for moment in ("half_applied", "before_commit"):
            assert copy(*out, CONVEXPY_PAUSE=f"checkpoint.{moment}=kill")[0] != 0
        assert "is not complete" in refused_start(tmp_path / "other", url)
        server.start()  # the source is as it was
        assert everything(server) == before
        server.stop()
        assert copy(*out)[0] == 0
        assert copy(*out)[1]["code"] == "DatabaseRefused"
        into = tmp_path / "again"
        back = ("--from", url, "--to", str(into))
        assert copy(*back, CONVEXPY_PAUSE="checkpoint.half_applied=kill")[0] != 0
        assert not (into / "log.db").exists()
        assert copy(*back)[0] == 0
    finally:
        server.close()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--from", "a", "--to", "b"),
        ("--from", "mysql://x"),
        ("--from", "postgresql://a", "--to", "postgresql://b"),
    ],
)
def test_places_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    assert copy(*arguments)[0] == 2
