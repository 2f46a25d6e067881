"""A server whose data is in PostgreSQL: how it starts, what it keeps to itself, and a pooler between."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import children
from support.postgres import PASSWORD, PostgresServer, pooler
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add

NOTES = """
from convexpy import mutation, query

@mutation
def write(ctx, text: str):
    return ctx.db.insert("notes", {"text": text})

@query
def read(ctx):
    return [note["text"] for note in ctx.db.query("notes")]
"""


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.secret_url()


@pytest.fixture
def server(tmp_path: Path, url: str) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "data", database=url)
    server.push_ok({"fn.py": NOTES})
    yield server
    server.close()


def refused(tmp_path: Path, database: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return status and error of a server that does not start."""
    done = subprocess.run(
        ServerProcess.command(tmp_path / "other", "--port", "0", "--site-port", "0", *arguments),
        env=ServerProcess.environment({"CONVEXPY_DATABASE_URL": database}),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    error: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["error"]
    return done.returncode, error


def test_all_data_is_in_the_database(server: ServerProcess, postgres: PostgresServer, url: str) -> None:
    server.call("mutation", "fn:write", text="kept")
    assert not list(server.data.glob("*.db"))
    assert server.stop() == 0
    schema = url.partition("?schema=")[2]
    assert postgres.query(f"SELECT document ->> 'text' FROM {schema}.notes") == [("kept",)]
    server.start()
    assert server.call("query", "fn:read") == ["kept"]
    server.kill()
    server.start()
    assert server.call("query", "fn:read") == ["kept"]


def test_the_address_is_in_no_log_and_on_no_command_line(server: ServerProcess) -> None:
    server.call("mutation", "fn:write", text="kept")
    assert PASSWORD not in server.errors()
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert PASSWORD not in shown
    below = {
        *children.executors(server.process.pid),
        children.fork_server(server.process.pid),
        children.version_process(server.process.pid),
    }
    for pid in below:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_second_server_is_refused_and_names_the_first(
    server: ServerProcess, url: str, tmp_path: Path
) -> None:
    status, error = refused(tmp_path, url)
    assert (status, error["code"]) == (10, "DatabaseInUse")
    assert str(server.process.pid) in error["message"]
    assert server.call("query", "fn:read") == []


def test_a_server_that_was_taken_over_stops(
    server: ServerProcess, postgres: PostgresServer, url: str
) -> None:
    postgres.query(f"UPDATE {url.partition('?schema=')[2]}._lease SET holder = 'another'")
    assert server.process.wait(60) == 75
    assert "another server has taken over" in server.errors()


def test_a_server_that_hung_finds_that_it_was_replaced(
    server: ServerProcess, url: str, tmp_path: Path
) -> None:
    server.call("mutation", "fn:write", text="before")
    os.kill(server.process.pid, signal.SIGSTOP)
    other = None
    try:
        shutil.copytree(server.data, tmp_path / "copy", ignore=shutil.ignore_patterns("lock"))
        other = ServerProcess(tmp_path / "copy", database=url)  # waits until the lease has expired
        other.call("mutation", "fn:write", text="by the other")
        os.kill(server.process.pid, signal.SIGCONT)
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.request("POST", "/api/mutation", {"path": "fn:write", "args": {"text": "by the first"}})
        assert server.process.wait(60) == 75
        assert sorted(other.call("query", "fn:read")) == ["before", "by the other"]
    finally:
        os.kill(server.process.pid, signal.SIGCONT) if server.process.poll() is None else None
        if other is not None:
            other.close()


def test_an_address_that_does_not_work_ends_the_start(
    url: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    wrong = url.replace(str(postgres.port), "1")
    assert refused(tmp_path, wrong)[1]["code"] == "DatabaseUnreachable"
    assert refused(tmp_path, "mysql://host/database")[0] == 3
    assert refused(tmp_path, "", "--database-schema", "app")[1]["code"] == "ConfigInvalid"


def test_a_subscription_goes_on_after_the_database_was_restarted(
    server: ServerProcess, postgres: PostgresServer
) -> None:
    with SyncSocket(server.url) as client:
        client.modify(add(0, "fn:read"))
        client.until(lambda _: 0 in client.results)
        for text in ("one", "two"):
            postgres.restart()
            server.call("mutation", "fn:write", text=text)
            wait_for(
                lambda text=text: client.transition() and text in client.results[0], what="the new result"
            )


def test_calls_wait_for_a_database_that_comes_back(server: ServerProcess, postgres: PostgresServer) -> None:
    postgres.stop()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(server.call, "mutation", "fn:write", text=f"{n}") for n in range(4)]
        wait_for(lambda: "is lost" in server.errors(), what="the loss")
        postgres.start()
        assert len({each.result() for each in waiting}) == 4
    assert len(server.call("query", "fn:read")) == 4


def test_a_pooler_in_transaction_mode_may_stand_between(postgres: PostgresServer, tmp_path: Path) -> None:
    rounds = 3
    with pooler(postgres) as port:
        url = postgres.url().replace(str(postgres.port), str(port))
        server = ServerProcess(tmp_path / "data", database=url)
        try:
            server.push_ok({"fn.py": NOTES})
            for n in range(rounds):
                for m in range(20):
                    server.call("mutation", "fn:write", text=f"{n}.{m}")
                assert len(server.call("query", "fn:read")) == 20 * (n + 1)
                postgres.cut_connections()
            assert refused(tmp_path, url)[1]["code"] == "DatabaseInUse"
            server.kill()
            server.start()  # the lease runs out: nobody can see that its holder is gone
            assert len(server.call("query", "fn:read")) == 20 * rounds
        finally:
            server.close()
