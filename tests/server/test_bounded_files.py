"""What a server keeps is bounded in bytes: its files are looked at while it is written to without a pause."""

from __future__ import annotations

import contextlib
import http.client
import json
import sqlite3
import threading
import time
from pathlib import Path

from support.processes import ServerProcess, wait_for

APP = """
from convexpy import mutation, query

@mutation
def put(ctx) -> None:
    n = ctx.random.randrange(3000)
    found = ctx.db.query("items").with_index("by_n", n=n).first()
    if found is None:
        ctx.db.insert("items", {"n": n, "text": "x" * 1000})
    else:
        ctx.db.patch(found["_id"], {"text": "y" * 1000, "at": ctx.random.random()})

@mutation
def load(ctx) -> None:
    for _ in range(14):
        ctx.db.insert("large", {"text": "x" * 1_000_000})

@query
def get(ctx, n: int) -> int:
    return len(ctx.db.query("items").with_index("by_n", n=n).collect())
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "items": define_table(v.any()).index("by_n", ["n"]),
    "large": define_table({"text": v.string()}),
})
"""
LIMITS = """
[limits]
log-bytes-kept = 300_000
checkpoint-idle-s = 0.2
"""
CALLS = 2000
MB = 1_000_000


class Caller(threading.Thread):
    """Calls a function again and again on one connection, until the mutations together are enough."""

    mutations = 0

    def __init__(self, server: ServerProcess, kind: str, path: str) -> None:
        super().__init__()
        self._port, self._kind, self._path = server.port, kind, path
        self.failed: list[object] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        headers = {"Content-Type": "application/json"}
        n = 0
        while Caller.mutations < CALLS and not self.failed:
            n += 1
            args = {} if self._kind == "mutation" else {"n": n % 3000}
            body = json.dumps({"path": self._path, "args": args})
            connection.request("POST", f"/api/{self._kind}", body, headers)
            answer = json.loads(connection.getresponse().read())
            if answer["status"] != "success":
                self.failed.append(answer)
            Caller.mutations += self._kind == "mutation"
        connection.close()


def entries_bytes(server: ServerProcess) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{server.data / 'log.db'}?mode=ro", uri=True)) as log:
        (total,) = log.execute("SELECT sum(length(entry)) FROM log").fetchone()
        return int(total)


def test_files_stay_small_while_readers_never_pause(tmp_path: Path) -> None:
    config = tmp_path / "limits.toml"
    config.write_text(LIMITS)
    server = ServerProcess(tmp_path / "data", "--config", str(config))
    try:
        server.push_ok({"fn.py": APP, "schema.py": SCHEMA})
        callers = [Caller(server, "mutation", "fn:put") for _ in range(4)]
        callers += [Caller(server, "query", "fn:get") for _ in range(3)]
        for caller in callers:
            caller.start()
        largest = 0
        while any(caller.is_alive() for caller in callers):
            largest = max(largest, (server.data / "data.db-wal").stat().st_size)
            time.sleep(0.02)
        assert [caller.failed for caller in callers if caller.failed] == []
        assert largest < 4.5 * MB, "the write-ahead log of data.db has grown from checkpoint to checkpoint"
        wait_for(lambda: entries_bytes(server) <= 300_000, what="a log of no more bytes than are to be kept")
    finally:
        server.close()


def test_what_a_burst_made_grow_is_given_back(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        server.push_ok({"fn.py": APP, "schema.py": SCHEMA})
        for _ in range(4):
            server.call("mutation", "fn:load")
        wait_for(lambda: (server.data / "data.db").stat().st_size > 56 * MB, what="a checkpoint of all that")
        for name in ("log", "data"):
            wal = server.data / f"{name}.db-wal"
            wait_for(lambda wal=wal: wal.stat().st_size <= 17 * MB, what=f"a small {wal.name}")
    finally:
        server.close()
