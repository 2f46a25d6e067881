"""Many queries on one socket, many sockets on one server, large results, and readers that do not keep up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.sockets import SyncSocket, add
from websockets.asyncio.client import ClientConnection, connect

MANY_QUERIES = 20_000
MANY_SOCKETS = 1_000
MIB = 2**20
APP = """
from convexpy import mutation, query

@query
def one(ctx, n: int):
    row = ctx.db.query("rows").with_index("by_n", n=n).unique()
    every = ctx.db.query("every").first()
    return [n, 0 if row is None else row["value"], 0 if every is None else every["value"]]

@mutation
def touch_one(ctx, n: int, value: int):
    row = ctx.db.query("rows").with_index("by_n", n=n).unique()
    if row is None:
        ctx.db.insert("rows", {"n": n, "value": value})
    else:
        ctx.db.patch(row["_id"], {"value": value})

@mutation
def touch_all(ctx, value: int):
    row = ctx.db.query("every").first()
    if row is None:
        ctx.db.insert("every", {"value": value})
    else:
        ctx.db.patch(row["_id"], {"value": value})

@query
def every(ctx):
    row = ctx.db.query("every").first()
    return 0 if row is None else row["value"]

@query
def large(ctx, part: int, mib: int):
    row = ctx.db.query("every").first()
    return {"value": 0 if row is None else row["value"], "part": part, "text": "\\u00e4" * (mib * 2**19)}
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "rows": define_table({"n": v.int(), "value": v.int()}).index("by_n", ["n"]),
    "every": define_table({"value": v.int()}),
})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))  # the server inherits it
    try:
        with contextlib.closing(
            ServerProcess(tmp_path_factory.mktemp("many") / "data", interpreter=True)
        ) as running:
            running.push_ok({"fn.py": APP, "schema.py": SCHEMA})
            yield running
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def resident_mib(server: ServerProcess) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_twenty_thousand_queries_on_one_socket(server: ServerProcess) -> None:
    queries = [add(n, "fn:one", n=n) for n in range(MANY_QUERIES)]
    with SyncSocket(server.url) as client, SyncSocket(server.url) as other:
        client.modify(*queries)
        assert len(client.transition()["modifications"]) == MANY_QUERIES
        server.call("mutation", "fn:touch_one", n=777, value=1)
        transition = client.transition()
        assert [change["queryId"] for change in transition["modifications"]] == [777]
        assert client.results[777] == [777, 1, 0]
        # One commit that touches all of them: one Transition, with all of them.
        other.mutation(0, "fn:touch_all", value=5)
        assert other.response(0)["success"]
        assert len(client.transition()["modifications"]) == MANY_QUERIES
        expected = {n: [n, 1 if n == 777 else 0, 5] for n in range(MANY_QUERIES)}
        assert client.results == expected
    with SyncSocket(server.url, session=client.session) as again:
        again.modify(*queries)
        assert len(again.transition()["modifications"]) == MANY_QUERIES
        assert again.results == expected
        server.call("mutation", "fn:touch_one", n=778, value=2)
        again.until_result(778, lambda result: result == [778, 2, 5])


class Listener:
    """One of a thousand sockets; checks the chain of versions and keeps the newest result."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.end: Any = None
        self.result: Any = None

    async def begin(self) -> None:
        hello = {"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0}
        await self.connection.send(json.dumps(hello))
        wanted = {"baseVersion": 0, "newVersion": 1, "modifications": [add(0, "fn:every")]}
        await self.connection.send(json.dumps({"type": "ModifyQuerySet", **wanted}))
        await self.until(lambda result: result is not None)

    async def until(self, fact: Any) -> float:
        while not fact(self.result):
            message = json.loads(await self.connection.recv())
            if message["type"] == "Transition":
                assert self.end in (None, message["startVersion"])
                self.end = message["endVersion"]
                for change in message["modifications"]:
                    self.result = change["value"]
        return time.monotonic()


def test_a_thousand_sockets_are_told_of_one_commit(server: ServerProcess) -> None:
    async def main() -> None:
        url = server.url.replace("http", "ws", 1) + "/api/1.48.0/sync"
        connections: list[ClientConnection] = []
        try:
            for _ in range(0, MANY_SOCKETS, 50):
                connecting = [connect(url, compression=None, ping_interval=None) for _ in range(50)]
                connections += await asyncio.gather(*connecting)
            listeners = [Listener(connection) for connection in connections]
            await asyncio.gather(*[listener.begin() for listener in listeners])
            before = resident_mib(server)
            for value in (1001, 1002, 1003):
                await asyncio.to_thread(server.call, "mutation", "fn:touch_all", value=value)
                await asyncio.gather(
                    *[listener.until(lambda result, value=value: result == value) for listener in listeners]
                )
            assert resident_mib(server) - before < 50
        finally:
            for connection in connections:
                connection.transport.abort()
            await asyncio.gather(*[connection.wait_closed() for connection in connections])

    asyncio.run(asyncio.wait_for(main(), 120))
    # All are gone, and the server answers as ever.
    assert server.call("query", "fn:every") == 1003


@pytest.mark.parametrize(
    ("path", "chunked"), [("/api/1.48.0/sync", True), ("/api/sync", False)], ids=["npm", "python"]
)
def test_thirty_megabytes_in_one_transition(server: ServerProcess, path: str, chunked: bool) -> None:
    with SyncSocket(server.url, path) as client:
        client.modify(*[add(n, "fn:large", part=n, mib=10) for n in range(3)])
        transition = client.transition()
        assert ("chunks" in transition) is chunked
        if chunked:
            assert transition["chunks"] >= 6
        for n in range(3):
            assert client.results[n]["part"] == n
            assert client.results[n]["text"] == "ä" * (10 * 2**19)
        value = client.results[0]["value"] + 1
        server.call("mutation", "fn:touch_all", value=value)
        client.until_result(0, lambda result: result["value"] == value)
        assert {client.results[n]["value"] for n in range(3)} == {value}


def reluctant(url: str) -> SyncSocket:
    """Return a client whose socket takes next to nothing until somebody asks for a message."""
    host, port = url.removeprefix("http://").split(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((host, int(port)))
    return SyncSocket(url, sock=small, max_queue=1)


def test_those_who_do_not_read_cost_little_and_slow_nobody(server: ServerProcess) -> None:
    """Five clients stop to read large results that change with each commit; one that reads is told of each in time."""
    slow = [reluctant(server.url) for _ in range(5)]
    try:
        with SyncSocket(server.url) as quick:
            quick.subscribe(0, "fn:every")
            quick.transition()
            alone = changes(server, quick, 2000, 20)
            for client in slow:
                client.subscribe(0, "fn:large", part=0, mib=2)
            beside = changes(server, quick, 3000, 20)  # the first of these are still taken by all
            before = resident_mib(server)
            beside = changes(server, quick, 4000, 60)
            assert resident_mib(server) - before < 60
            assert beside < alone + 2.0
        for client in slow:
            taker = client.connection.socket  # now they read, and as fast as they can
            taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
        threads = [
            threading.Thread(target=client.until_result, args=(0, lambda result: result["value"] == 4059))
            for client in slow
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in slow:
            assert client.results[0]["value"] == 4059
            told = [message for message in client.received if message["type"] == "Transition"]
            assert len(told) < 12, "it was told of what was outdated already"
    finally:
        for client in slow:
            client.__exit__(None, None, None)


def changes(server: ServerProcess, quick: SyncSocket, first: int, count: int) -> float:
    """Commit `count` times; return how long it took at worst until the quick one was told."""
    slowest = 0.0
    for value in range(first, first + count):
        started = time.monotonic()
        server.call("mutation", "fn:touch_all", value=value)
        quick.until_result(0, lambda result, value=value: result == value)
        slowest = max(slowest, time.monotonic() - started)
    return slowest
