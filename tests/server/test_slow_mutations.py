"""Mutations that take long run beside the others: those are answered meanwhile, and all of them are in one order.

A slow mutation here ends when a file exists, so that a test decides what happens while it runs.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket

APP = """
import os, time
from convexpy import mutation, query

def wait(until, busy=False):
    if not until:
        time.sleep(0.2)
        return
    os.utime(until + ".began")
    while not os.path.exists(until):
        if not busy:
            time.sleep(0.002)

def count(ctx, tag):
    return ctx.db.query("marks").with_index("by_tag", tag=tag).count()

@mutation
def take_time(ctx) -> int:
    time.sleep(0.2)
    return os.getpid()

@mutation
def pid(ctx) -> int:
    return os.getpid()

@mutation
def slow(ctx, tag: str, until: str, busy: bool = False) -> int:
    before = count(ctx, tag)
    print("ran with", before)
    ctx.db.insert("marks", {"tag": tag, "slow": True})
    wait(until, busy)
    return before

@mutation
def other_slow(ctx, tag: str, until: str) -> int:
    before = count(ctx, tag)
    ctx.db.insert("marks", {"tag": tag, "slow": True})
    wait(until)
    return before

@mutation
def slow_failure(ctx, until: str):
    before = count(ctx, "a")
    wait(until)
    raise ValueError(f"at {before}")

@mutation
def quick(ctx, tag: str) -> int:
    before = count(ctx, tag)
    ctx.db.insert("marks", {"tag": tag, "slow": False})
    return before

@mutation
def schedule(ctx, until: str) -> None:
    ctx.scheduler.run_after(0, "app:slow", {"tag": "job", "until": until})

@query
def marks(ctx, tag: str) -> int:
    return count(ctx, tag)
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "marks": define_table({"tag": v.string(), "slow": v.boolean()}).index("by_tag", ["tag"]),
    "accounts": define_table({"name": v.int(), "balance": v.int()}),
    "ledger": define_table({"key": v.string()}).index("by_key", ["key"]),
})
"""


class Running:
    """A call in a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._value: Any = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self._value = work()
        except BaseException as error:
            self._value = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(60)
        assert self.done, "no answer"
        if isinstance(self._value, BaseException):
            raise self._value
        return self._value


@pytest.fixture
def server(start_server: Any) -> ServerProcess:
    running: ServerProcess = start_server("--function-cpu-s", "20")
    running.push_ok({"app.py": APP, "schema.py": SCHEMA})
    running.call("mutation", "app:slow", tag="first", until="")
    return running


class End:
    """The file that slow mutations wait for, and one that they touch when they begin to wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = path.with_name(path.name + ".began")
        self._began.touch()
        os.utime(self._began, (0, 0))

    def __str__(self) -> str:
        return str(self._path)

    def wait_for_begin(self) -> None:
        wait_for(lambda: self._began.stat().st_mtime > 0, what="the begin of a slow mutation")

    def touch(self) -> None:
        self._path.touch()


@pytest.fixture
def end(tmp_path: Path) -> Iterator[End]:
    end = End(tmp_path / "end")
    yield end
    end.touch()  # what a failed test has left ends, too


@pytest.mark.parametrize("busy", [False, True])
def test_others_are_answered_while_a_slow_mutation_runs(server: ServerProcess, end: End, busy: bool) -> None:
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end), busy=busy))
    end.wait_for_begin()
    assert [server.call("mutation", "app:quick", tag="b") for _ in range(20)] == list(range(20))
    assert server.call("query", "app:marks", tag="b") == 20
    assert not slow.done
    assert server.call("query", "app:marks", tag="a") == 0
    end.touch()
    assert slow.result() == 0
    assert server.call("query", "app:marks", tag="a") == 1
    assert [server.call("mutation", "app:quick", tag=tag) for tag in "ab"] == [1, 20]


def test_others_are_answered_although_nobody_knew_that_it_is_slow(server: ServerProcess, end: End) -> None:
    # Who calls it first, and another one behind it in the same executor.
    slow = [
        Running(lambda tag=tag: server.call("mutation", "app:other_slow", tag=tag, until=str(end)))
        for tag in "ab"
    ]
    end.wait_for_begin()
    assert [server.call("mutation", "app:quick", tag="c") for _ in range(20)] == list(range(20))
    assert not any(each.done for each in slow)
    end.touch()
    assert [each.result() for each in slow] == [0, 0]
    assert [server.call("mutation", "app:quick", tag=tag) for tag in "abc"] == [1, 1, 20]


def test_one_that_was_overtaken_runs_again_and_only_its_last_run_is_logged(
    server: ServerProcess, end: End
) -> None:
    slow = Running(
        lambda: server.request(
            "POST", "/api/mutation", {"path": "app:slow", "args": {"tag": "a", "until": str(end)}}
        )
    )
    end.wait_for_begin()
    assert [server.call("mutation", "app:quick", tag="a") for _ in range(5)] == list(range(5))
    end.touch()
    answer = slow.result()[1]
    assert (answer["value"], answer["logLines"]) == (5, ["[LOG] ran with 5"])
    assert server.call("query", "app:marks", tag="a") == 6


def test_one_that_is_always_overtaken_gets_its_turn(server: ServerProcess) -> None:
    stopping = threading.Event()

    def hammer() -> int:
        done = 0
        while not stopping.is_set():
            server.call("mutation", "app:quick", tag="a")
            done += 1
        return done

    hammering = Running(hammer)
    seen = [server.call("mutation", "app:slow", tag="a", until="") for _ in range(2)]
    stopping.set()
    done = hammering.result()
    assert 0 < seen[0] < seen[1] < done + 2
    assert server.call("query", "app:marks", tag="a") == done + 2


def test_the_mutations_of_one_client_keep_their_order(server: ServerProcess, end: End) -> None:
    with SyncSocket(server.url) as ann, SyncSocket(server.url) as bob:
        ann.mutation(0, "app:quick", tag="a")
        ann.mutation(1, "app:slow", tag="a", until=str(end))
        ann.mutation(2, "app:quick", tag="a")
        ann.mutation(3, "app:slow", tag="a", until="")
        ann.mutation(4, "app:quick", tag="a")
        bob.mutation(0, "app:quick", tag="b")
        assert bob.response(0)["result"] == 0
        end.touch()
        assert [ann.response(request)["result"] for request in range(5)] == [0, 1, 2, 3, 4]


def test_a_repeated_request_is_answered_with_what_ran(server: ServerProcess, end: End) -> None:
    with SyncSocket(server.url) as first:
        first.mutation(0, "app:slow", tag="a", until=str(end))
        assert server.call("mutation", "app:quick", tag="b") == 0
        with SyncSocket(server.url, session=first.session) as again:
            again.mutation(0, "app:slow", tag="a", until=str(end))
            assert server.call("mutation", "app:quick", tag="b") == 1
            end.touch()
            assert again.response(0)["result"] == 0
    assert server.call("query", "app:marks", tag="a") == 1


def test_a_failure_is_of_one_moment(server: ServerProcess, end: End) -> None:
    server.failure("mutation", "app:slow_failure", until="")
    slow = Running(lambda: server.failure("mutation", "app:slow_failure", until=str(end)))
    end.wait_for_begin()
    assert server.call("mutation", "app:quick", tag="b") == 0
    end.touch()
    assert "ValueError: at 0" in slow.result()["errorMessage"]


def test_a_scheduled_run_is_beside_the_others_too(server: ServerProcess, end: End) -> None:
    server.call("mutation", "app:schedule", until=str(end))
    assert [server.call("mutation", "app:quick", tag="b") for _ in range(5)] == list(range(5))
    assert server.call("query", "app:marks", tag="job") == 0
    end.touch()
    wait_for(lambda: server.call("query", "app:marks", tag="job") == 1)


def test_what_people_type_is_beside_the_others_too(server: ServerProcess, end: End) -> None:
    def typed(source: str, *, inserts: int) -> Any:
        agreed = [{"table": "marks", "kind": "insert", "id": ""}] * inserts
        body = {"args": {"source": source, "commit": agreed}, "writes": True}
        return server.request("POST", "/api/convexpy/evaluate", body, admin=True)[1]["value"]["value"]

    assert typed("import time; time.sleep(0.2); 1", inserts=0) == 1
    source = f"""
import os, time
ctx.db.insert("marks", {{"tag": "typed", "slow": True}})
os.utime({str(end)!r} + ".began")
while not os.path.exists({str(end)!r}):
    time.sleep(0.002)
2
"""
    slow = Running(lambda: typed(source, inserts=1))
    end.wait_for_begin()
    assert [server.call("mutation", "app:quick", tag="b") for _ in range(5)] == list(range(5))
    assert not slow.done
    end.touch()
    assert slow.result() == 2
    assert server.call("query", "app:marks", tag="typed") == 1


def test_a_push_does_not_wait_for_it_and_it_runs_again_in_the_new_version(
    server: ServerProcess, end: End
) -> None:
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end)))
    end.wait_for_begin()
    assert server.call("mutation", "app:quick", tag="b") == 0
    server.push_ok({"app.py": APP.replace("return before", "return before + 100"), "schema.py": SCHEMA})
    assert server.call("mutation", "app:quick", tag="b") == 101
    assert not slow.done
    end.touch()
    assert slow.result() == 100
    assert server.call("query", "app:marks", tag="a") == 1


def test_a_new_index_has_what_was_written_meanwhile(server: ServerProcess, end: End) -> None:
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end)))
    end.wait_for_begin()
    assert server.call("mutation", "app:quick", tag="b") == 0
    schema = SCHEMA.replace(
        '.index("by_tag", ["tag"])', '.index("by_tag", ["tag"]).index("by_slow", ["slow"])'
    )
    by_slow = '\n@query\ndef slow_ones(ctx) -> int:\n    return ctx.db.query("marks").with_index("by_slow", slow=True).count()\n'
    pushing = Running(lambda: server.push_ok({"app.py": APP + by_slow, "schema.py": schema}))
    wait_for(lambda: pushing.done or server.call("mutation", "app:quick", tag="b"))
    end.touch()
    pushing.result()
    assert slow.result() == 0
    assert server.call("query", "app:slow_ones") == 2


def test_a_push_is_refused_if_nobody_could_check_what_was_written_meanwhile(
    server: ServerProcess, end: End
) -> None:
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end)))
    end.wait_for_begin()
    pid = int(server.call("mutation", "app:pid"))
    # It stands where it waits for the slow call to end, before it looks at the documents that there are.
    schema = SCHEMA.replace('"marks"', '"fresh": define_table({}).index("by_x", ["x"]), "marks"')
    schema = schema.replace("define_table({})", 'define_table({"x": v.string()})')
    pushing = Running(lambda: server.push({"app.py": APP, "schema.py": schema}))

    def has_begun() -> bool:
        options = {"cursor": None, "numItems": 1000}
        args = {"table": "_index", "order": "asc", "paginationOpts": options}
        body = {"path": "_system/cli/tableData", "args": args}
        page = server.request("POST", "/api/query", body, admin=True)[1]["value"]["page"]
        return any(index["name"] == "by_x" for index in page)

    wait_for(has_begun, what="the begin of the push")
    os.kill(pid, signal.SIGKILL)
    assert server.call("mutation", "app:quick", tag="b") == 0
    end.touch()
    status, answer = pushing.result()
    assert (status, answer["code"], answer["retryOn"]) == (503, "ExecutorLost", "backoff")
    assert slow.result() == 0
    assert server.push({"app.py": APP + "\n# edited", "schema.py": SCHEMA})[0] == 200
    assert server.push({"app.py": APP, "schema.py": schema})[0] == 200


def test_stopping_lets_it_end(server: ServerProcess, end: End) -> None:
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end)))
    end.wait_for_begin()
    assert server.call("mutation", "app:quick", tag="b") == 0
    stopping = Running(server.stop)
    end.touch()
    assert slow.result() == 0
    assert stopping.result() == 0
    server.start()
    assert server.call("query", "app:marks", tag="a") == 1


def test_its_executor_is_lost_and_it_runs_again(server: ServerProcess, end: End) -> None:
    pids = [int(server.call("mutation", "app:take_time")) for _ in range(2)]
    slow = Running(lambda: server.call("mutation", "app:slow", tag="a", until=str(end)))
    end.wait_for_begin()
    assert server.call("mutation", "app:quick", tag="b") == 0
    os.kill(pids[-1], signal.SIGKILL)
    assert server.call("mutation", "app:quick", tag="b") == 1
    end.touch()
    assert slow.result() == 0
    assert server.call("query", "app:marks", tag="a") == 1


BANK = """
import os, time
from convexpy import mutation, query

@mutation
def open_accounts(ctx, count: int):
    for name in range(count):
        ctx.db.insert("accounts", {"name": name, "balance": 100})

def move(ctx, key, frm, to, amount, ms):
    found = {document["name"]: document for document in ctx.db.query("accounts")} if frm % 2 else {
        document["name"]: document for document in ctx.db.query("accounts").collect()}
    ctx.db.patch(found[frm]["_id"], {"balance": found[frm]["balance"] - amount})
    until = time.perf_counter() + ms / 1000
    while time.perf_counter() < until:
        pass
    ctx.db.patch(found[to]["_id"], {"balance": ctx.db.get(found[to]["_id"])["balance"] + amount})
    ctx.db.insert("ledger", {"key": key})
    return os.getpid()

@mutation
def transfer(ctx, key: str, frm: int, to: int, amount: int) -> int:
    return move(ctx, key, frm, to, amount, 0)

@mutation
def slow_transfer(ctx, key: str, frm: int, to: int, amount: int) -> int:
    return move(ctx, key, frm, to, amount, 100)

@query
def balances(ctx):
    return [document["balance"] for document in ctx.db.query("accounts")]

@query
def keys(ctx):
    return [document["key"] for document in ctx.db.query("ledger")]
"""
ACCOUNTS = 8


def test_money_is_neither_made_nor_lost_by_slow_transfers_among_quick_ones(server: ServerProcess) -> None:
    server.push_ok({"app.py": BANK, "schema.py": SCHEMA})
    server.call("mutation", "app:open_accounts", count=ACCOUNTS)
    stopping = threading.Event()
    acknowledged: list[str] = []
    pids: set[int] = set()
    watched = 0

    def transfers(name: str, path: str) -> None:
        numbers = random.Random(name)
        while not stopping.is_set():
            frm, to = numbers.sample(range(ACCOUNTS), 2)
            key = f"{name}-{numbers.getrandbits(64)}"
            amount = numbers.randint(1, 9)
            pids.add(int(server.call("mutation", path, key=key, frm=frm, to=to, amount=amount)))
            acknowledged.append(key)

    def watch() -> None:
        nonlocal watched
        with SyncSocket(server.url) as client:
            client.subscribe(0, "app:balances")
            while not stopping.is_set():
                client.transition()
                assert sum(client.results[0]) == ACCOUNTS * 100
                watched += 1

    work = [
        *[Running(lambda n=n: transfers(f"quick{n}", "app:transfer")) for n in range(2)],
        *[Running(lambda n=n: transfers(f"slow{n}", "app:slow_transfer")) for n in range(2)],
    ]
    watching = Running(watch)
    for kill in range(5):
        wait_for(
            lambda kill=kill: (
                sum(key.startswith("slow") for key in acknowledged) > 3 * (kill + 1)
                or any(each.done for each in work)
            )
        )
        for pid in list(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        pids.clear()
    stopping.set()
    for each in work:
        each.result()
    server.call("mutation", "app:transfer", key="last", frm=0, to=1, amount=1)
    watching.result()
    keys = server.call("query", "app:keys")
    assert len(keys) == len(set(keys))
    assert set(acknowledged) <= set(keys)
    assert sum(server.call("query", "app:balances")) == ACCOUNTS * 100
    assert watched > 10
