"""One moment per Transition: queries over data that only changes together never show it apart.

Each commit writes the same number into all places. Watchers subscribe to twenty queries that read one place each, quick
and slow ones, such as ask who calls and such as do not; writers on sockets of their own never pause. It must hold while
a new version of the app goes live, and while executors are killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add, ts_of

APP = """
import os, time
from convexpy import mutation, query

VERSION = 1
PLACES = 6

def number(ctx, place):
    row = ctx.db.query("places").with_index("by_place", place=place).unique()
    return 0 if row is None else row["n"]

@mutation
def bump(ctx) -> int:
    n = number(ctx, 0) + 1
    for place in range(PLACES):
        row = ctx.db.query("places").with_index("by_place", place=place).unique()
        if row is None:
            ctx.db.insert("places", {"place": place, "n": n})
        else:
            ctx.db.patch(row["_id"], {"n": n})
    return n

@mutation
def nothing(ctx) -> int:
    return number(ctx, 0)

@mutation
def refuse(ctx):
    raise ValueError("no")

@query
def one(ctx, place: int):
    return {"n": number(ctx, place), "version": VERSION}

@query
def slow(ctx, place: int, ms: int):
    until = time.perf_counter() + ms / 1000
    while time.perf_counter() < until:
        pass
    return {"n": number(ctx, place), "version": VERSION}

@query
def mine(ctx, place: int):
    who = ctx.auth.get_user_identity()
    return {"n": number(ctx, place), "version": VERSION, "who": who and who.subject}

@query
def sometimes_mine(ctx, place: int):
    n = number(ctx, place)
    who = ctx.auth.get_user_identity() if n % 3 == 0 else None
    return {"n": n, "version": VERSION, "who": who and who.subject}

@query
def pid(ctx) -> int:
    return os.getpid()
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"places": define_table({"place": v.int(), "n": v.int()}).index("by_place", ["place"])})
"""
QUERIES: list[tuple[str, dict[str, int]]] = [
    *[("fn:one", {"place": place}) for place in range(6)],
    *[("fn:slow", {"place": place, "ms": place}) for place in range(4)],
    *[("fn:mine", {"place": place}) for place in range(5)],
    *[("fn:sometimes_mine", {"place": place}) for place in range(5)],
]


@pytest.fixture
def server(start_server: Any) -> ServerProcess:
    running: ServerProcess = start_server()
    running.push_ok({"fn.py": APP, "schema.py": SCHEMA})
    return running


class Watcher:
    """A client with many queries; looks at every Transition."""

    def __init__(self, server: ServerProcess, subject: str | None, count: int) -> None:
        self.subject = subject
        self.count = count
        self.shown = 0
        self.newest = (0, 0)
        self.socket = SyncSocket(server.url)
        self.socket.modify(*[add(n, path, **args) for n, (path, args) in enumerate(QUERIES[-count:])])
        if subject is not None:
            claims = {"issuer": "https://issuer.test", "subject": subject}
            self.socket.send(
                type="Authenticate", baseVersion=0, tokenType="Admin", value=server.admin_key,
                impersonating=claims,
            )  # fmt: skip

    def watch(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self.socket.transition()
            self.look()

    def look(self) -> None:
        results = self.socket.results
        assert all("n" in result for result in results.values()), results
        if len(results) < self.count:
            return
        moments = {(result["version"], result["n"]) for result in results.values()}
        assert len(moments) == 1, f"{self.subject}: {results}"
        moment = moments.pop()
        assert moment >= self.newest
        self.newest = moment
        if self.subject is None or self.socket.version["identity"] == 1:
            for result in results.values():
                assert result.get("who") in (None, self.subject), result
        self.shown += 1


class Writer:
    """Mutations one after another on a socket; checks the order of what comes back."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = SyncSocket(server.url)
        self.socket.modify(add(0, "fn:one", place=0))
        self.socket.transition()
        self.done = 0
        self.newest = 0

    def write(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self.once()

    def once(self) -> None:
        request = self.done
        self.done += 1
        path = ("fn:bump", "fn:bump", "fn:nothing", "fn:refuse")[request % 4]
        self.socket.mutation(request, path)
        begun = len(self.socket.received)
        response = self.socket.response(request)
        before = self.socket.received[begun:-1]
        assert response["success"] is (path != "fn:refuse"), response
        if path == "fn:bump":
            ts = ts_of(response["ts"])
            assert all(ts_of(each["endVersion"]["ts"]) < ts for each in before), (
                "it was shown before it was answered"
            )
            assert response["result"] > self.newest
            self.newest = response["result"]
        self.socket.transition()
        if response["success"]:
            # One that was under way may come first.
            while ts_of(self.socket.version["ts"]) < ts_of(response["ts"]):
                self.socket.transition()
            assert self.socket.results[0]["n"] >= self.newest, "its own write is not shown"


class Load:
    """Watchers and writers in threads of their own."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.watchers = [
            Watcher(server, subject, count)
            for subject, count in ((None, 2), (None, 20), ("alice", 20), ("bob", 20))
        ]
        self.writers = [Writer(server) for _ in range(3)]
        self.errors: list[BaseException] = []
        self._stopping = threading.Event()
        work = [*[each.watch for each in self.watchers], *[each.write for each in self.writers]]
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in work]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            while any(thread.is_alive() for thread in self._threads):
                self.server.call("mutation", "fn:bump")  # those who wait for a Transition get one
            for each in (*self.watchers, *self.writers):
                each.socket.__exit__(None, None, None)
        if self.errors:
            raise self.errors[0]

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._stopping)
        except BaseException as error:
            self.errors.append(error)

    def go_on(self, transitions: int) -> None:
        """Wait until every watcher was shown so much more."""
        before = [watcher.shown for watcher in self.watchers]
        wait_for(
            lambda: (
                self.errors
                or all(
                    watcher.shown >= shown + transitions
                    for watcher, shown in zip(self.watchers, before, strict=True)
                )
            ),
            within_s=60,
            what=f"{transitions} more Transitions for each",
        )
        if self.errors:
            raise self.errors[0]


def test_queries_never_show_apart_what_changes_together(server: ServerProcess) -> None:
    load = Load(server)
    with load.running():
        load.go_on(60)
    assert all(watcher.newest[1] > 20 for watcher in load.watchers)


def test_a_new_version_is_shown_by_all_queries_at_once(server: ServerProcess) -> None:
    load = Load(server)
    with load.running():
        for version in (2, 3):
            load.go_on(10)
            server.push_ok({"fn.py": APP.replace("VERSION = 1", f"VERSION = {version}"), "schema.py": SCHEMA})
            wait_for(
                lambda version=version: (
                    load.errors or all(each.newest[0] == version for each in load.watchers)
                ),
                what=f"version {version} for all",
            )
        load.go_on(10)


def test_the_loss_of_executors_is_not_shown(server: ServerProcess) -> None:
    load = Load(server)
    killed: set[int] = set()
    with load.running():
        for _ in range(4):
            load.go_on(8)
            with contextlib.suppress(ProcessLookupError):
                pid = int(server.call("query", "fn:pid"))
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        load.go_on(10)
    assert len(killed) == 4
