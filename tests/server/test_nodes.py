"""Several nodes of one deployment on PostgreSQL: any of them takes any call, and any of them may die."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.nodes import StartNode, nodes_of
from support.postgres import PostgresServer
from support.processes import ServerProcess, wait_for
from support.production import ProductionServer, build_wheel
from support.sockets import SyncSocket

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CONVEXPY_TEST_KILLS", "3"))
APP = """
from convexpy import PaginationOptions, PaginationResult, internal, internal_mutation, mutation, query

@mutation
def write(ctx, text: str):
    ctx.scheduler.run_after(100, internal.fn.echo, text=text)
    return ctx.db.insert("notes", {"text": text})

@internal_mutation
def echo(ctx, text: str):
    ctx.db.insert("echoes", {"text": text})

@query
def read(ctx, table: str = "notes"):
    return [row["text"] for row in ctx.db.query(table)]

@query
def page(ctx, table: str, paginationOpts: PaginationOptions) -> PaginationResult:
    return ctx.db.query(table).paginate(paginationOpts).map(lambda row: row["text"])
"""
HTTP = """
from convexpy import JSONResponse, http_router

http = http_router()

@http.route("/hello", method="GET")
async def hello(ctx, request):
    return JSONResponse(await ctx.run_query("fn:read"))
"""


@pytest.fixture
def start_node(tmp_path: Path, postgres: PostgresServer) -> Iterator[StartNode]:
    with nodes_of(tmp_path, postgres) as start:
        yield start


def test_any_node_takes_any_call(start_node: StartNode) -> None:
    first = start_node("first")
    first.push_ok({"fn.py": APP, "http.py": HTTP})
    second = start_node("second")
    assert "another node serves" in second.errors()
    with SyncSocket(second.url) as there, SyncSocket(first.url) as here:
        for socket in (there, here):
            socket.subscribe(0, "fn:read")
            socket.until_result(0, lambda notes: notes == [])
        second.call("mutation", "fn:write", text="over the second")
        for socket in (there, here):
            socket.until_result(0, lambda notes: notes == ["over the second"])
    assert first.request("GET", "/http/hello")[1] == second.request("GET", "/http/hello")[1]
    assert second.request("GET", "/readyz")[0] == 200
    wait_for(
        lambda: [node["serves"] for node in status(first)["nodes"]] == [True, False], what="both to be seen"
    )
    assert [node["address"] for node in status(first)["nodes"]] == [
        f"127.0.0.1:{node.port}" for node in (first, second)
    ]


def test_no_acknowledged_write_is_lost_when_nodes_die(start_node: StartNode) -> None:
    nodes = [start_node("a")]
    nodes[0].push_ok({"fn.py": APP})
    nodes += [start_node("b"), start_node("c")]
    acknowledged: list[str] = []
    stop = threading.Event()

    def write(node: ServerProcess, name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                node.call("mutation", "fn:write", text=f"{name}{number}")
            except (OSError, AssertionError, ValueError):
                time.sleep(0.05)  # what happened to it is not known
                continue
            acknowledged.append(f"{name}{number}")

    writers = [
        threading.Thread(target=write, args=(node, name)) for node, name in zip(nodes, "abc", strict=True)
    ]
    for writer in writers:
        writer.start()
    try:
        for number in range(KILLS):
            dying, living = nodes[number % 3], nodes[(number + 1) % 3]
            seen = len(acknowledged)
            wait_for(lambda seen=seen: len(acknowledged) > seen + 20, what="writes")
            dying.kill()
            seen = len(acknowledged)
            wait_for(lambda seen=seen: len(acknowledged) > seen + 20, what="writes by the others")
            dying.start()
            assert living.request("GET", "/readyz")[0] == 200
    finally:
        stop.set()
        for writer in writers:
            writer.join(120)
    stored = everything(nodes[0], "notes")
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    expected = sorted(stored)
    wait_for(lambda: sorted(everything(nodes[1], "echoes")) == expected, what="each job to have run once")


def status(node: ServerProcess) -> dict[str, Any]:
    """Return what `convexpy status` asks for."""
    code, answer, _ = node.request("GET", "/api/convexpy/status", admin=True)
    assert code == 200, answer
    found: dict[str, Any] = answer
    return found


def everything(node: ServerProcess, table: str) -> list[str]:
    """Return the texts of a table, page by page."""
    texts: list[str] = []
    options: dict[str, Any] = {"cursor": None, "numItems": 1000}
    while True:
        page = node.call("query", "fn:page", table=table, paginationOpts=options)
        texts += page["page"]
        if page["isDone"]:
            return texts
        options["cursor"] = page["continueCursor"]


def test_a_client_survives_a_rolling_restart(start_node: StartNode) -> None:
    nodes = [start_node("a")]
    nodes[0].push_ok({"fn.py": APP})
    nodes.append(start_node("b"))
    for number, node in enumerate([*nodes, *nodes]):
        assert node.stop() == 0
        other = nodes[0] if node is nodes[1] else nodes[1]
        other.call("mutation", "fn:write", text=str(number))
        node.start()
        assert len(node.call("query", "fn:read")) == number + 1


def test_the_node_that_serves_goes_on_after_cut_connections_and_a_restart_of_the_database(
    start_node: StartNode, postgres: PostgresServer
) -> None:
    first = start_node("a")
    first.push_ok({"fn.py": APP})
    second = start_node("b")
    holder = lease_of(first, postgres)
    for number, fault in enumerate((postgres.cut_connections, postgres.restart, postgres.cut_connections)):
        renewed = lease_of(first, postgres)
        fault()
        second.call("mutation", "fn:write", text=str(number))
        wait_for(
            lambda seen=renewed: lease_of(first, postgres)[1] != seen[1], what="a new connection of the lease"
        )
    assert lease_of(first, postgres)[0] == holder[0]
    assert "this node serves now" not in second.errors()
    assert second.call("query", "fn:read") == ["0", "1", "2"]


def test_a_node_that_stood_still_answers_nothing_old_and_stands_by_again(
    start_node: StartNode, postgres: PostgresServer
) -> None:
    first = start_node("first")
    first.push_ok({"fn.py": APP})
    second = start_node("second")
    second.call("mutation", "fn:write", text="before")
    assert first.call("query", "fn:read") == ["before"]
    pid = first.process.pid
    answers: list[Any] = []

    def read() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answers.append(first.call("query", "fn:read"))

    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: "this node serves now" in second.errors(), what="the second to take over")
        second.call("mutation", "fn:write", text="meanwhile")
        readers = [threading.Thread(target=read) for _ in range(8)]
        for reader in readers:
            reader.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    for reader in readers:
        reader.join(60)
    assert all(answer == ["before", "meanwhile"] for answer in answers), answers
    wait_for(lambda: first.errors().count("another node serves") == 1, what="the first to stand by")
    assert first.process.poll() is None
    assert children_of(pid) <= 1  # of the executors that it had none is left
    assert first.call("query", "fn:read") == ["before", "meanwhile"]
    second.kill()
    first.call("mutation", "fn:write", text="after")
    assert first.call("query", "fn:read") == ["before", "meanwhile", "after"]
    assert first.stop() == 0


def test_a_node_whose_log_was_continued_by_another_stands_by_again(
    start_node: StartNode, postgres: PostgresServer
) -> None:
    first = start_node("first")
    first.push_ok({"fn.py": APP})
    first.call("mutation", "fn:write", text="before")
    schema = schema_of(first)
    postgres.query(
        f"INSERT INTO {schema}._log SELECT seq + 1, ts + 1, '\\x00', entry FROM {schema}._log ORDER BY seq DESC LIMIT 1"
    )
    with pytest.raises((OSError, http.client.HTTPException)):
        first.call("mutation", "fn:write", text="not acknowledged")
    wait_for(lambda: "begins again" in first.errors(), what="the node to begin again")
    first.call("mutation", "fn:write", text="after")
    assert first.call("query", "fn:read") == ["before", "after"]


def test_a_node_has_the_packages_of_the_live_version_before_its_turn(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    build_wheel(wheels, "tinypackage", "1.0", "VERSION = '1.0'\n")
    app = {
        "fn.py": "import tinypackage\nfrom convexpy import query\n\n@query\ndef version(ctx) -> str:\n"
        "    return tinypackage.VERSION\n",
        "requirements.txt": f"--no-index\n--find-links {wheels}\ntinypackage\n",
    }
    with nodes_of(tmp_path, postgres, server=ProductionServer) as start_node:
        first = start_node("first")
        second = start_node("second")
        first.push_ok(app)
        wait_for(lambda: "is prepared on this node" in second.errors(), what="the version to be prepared")
        shutil.rmtree(wheels)  # nothing can be installed any more
        first.kill()
        assert second.call("query", "fn:version") == "1.0"
        assert second.errors().count("installed the packages") == 1


def test_logs_and_status_are_those_of_the_deployment_over_any_node(start_node: StartNode) -> None:
    first = start_node("first")
    first.push_ok({"fn.py": APP})
    second = start_node("second")
    access = ["--url", second.url, "--admin-key", first.admin_key]
    command = [sys.executable, "-m", "convexpy_cli"]
    wait_for(lambda: len(status(first)["nodes"]) == 2, what="both nodes to be seen")
    shown = subprocess.run(
        [*command, "status", *access],
        env=ServerProcess.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for node in (first, second):
        assert f"127.0.0.1:{node.port}" in shown.stdout
    with subprocess.Popen(
        [*command, "logs", "-f", "--jsonl", "--success", *access],
        env=ServerProcess.environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as following:
        lines: list[str] = []
        output = following.stdout
        assert output is not None
        reader = threading.Thread(target=lambda: lines.extend(output))
        reader.start()
        try:
            wait_for(
                lambda: (
                    first.call("mutation", "fn:write", text="over the first")
                    and any("fn:write" in line for line in lines)
                ),
                what="the call in the log",
            )
        finally:
            following.kill()
            reader.join()


def schema_of(node: ServerProcess) -> str:
    """Return the schema of a node's database."""
    return node.database.partition("?schema=")[2]


def lease_of(node: ServerProcess, postgres: PostgresServer) -> tuple[str, int]:
    """Return holder and connection of the node that serves."""
    ((holder, backend),) = postgres.query(
        f"SELECT holder, backend_pid FROM {schema_of(node)}._lease WHERE name = 'node'"
    )
    return holder, backend


def children_of(pid: int) -> int:
    """Return the number of processes that a process has started and that are there."""
    return sum(len(each.read_text().split()) for each in Path(f"/proc/{pid}/task").glob("*/children"))


def test_what_nodes_do_not_share_is_refused(start_node: StartNode, tmp_path: Path) -> None:
    first = start_node("first")

    def refused(*arguments: str, **env: str) -> tuple[int, str]:
        command = ServerProcess.command(tmp_path / "other", "--port", "0", "--site-port", "0", *arguments)
        variables = {"CONVEXPY_DATABASE_URL": first.database, "CONVEXPY_SECRET_KEY": "k" * 64, **env}
        done = subprocess.run(
            command,
            env=ServerProcess.environment(variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stderr

    complete = {
        "--node": "127.0.0.1",
        "--name": "app",
        "--secret-file": str(tmp_path / "secret"),
        "--storage": "s3://bucket/files",
    }

    def flags(**changed: Any) -> list[str]:
        given = {**complete, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
        return [word for name, value in given.items() if value is not None for word in (name, value)]

    assert refused(*flags(storage=None))[0] == 3
    assert "--secret-file" in refused(*flags(secret_file=None))[1]
    assert "CONVEXPY_SECRET_KEY" in refused(*flags(), CONVEXPY_SECRET_KEY="")[1]
    (tmp_path / "another").write_text("cd" * 32)
    status, error = refused(
        *flags(secret_file=str(tmp_path / "another")), AWS_ENDPOINT_URL="http://127.0.0.1:9"
    )
    assert "NodeMismatch" in error, error
    assert status == 3
