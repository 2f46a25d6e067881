"""A bank and its ledgers, worked on by clients of all kinds over all nodes: over HTTP, the PyPI client, the npm client.

What they ask for is checked as a history (`histories.py`). Every balance that anybody sees, in an answer or in a push, is
of one moment, for their sum never changes. Each append schedules a job, which must run once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.histories import anomalies, read_history
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add
from websockets.exceptions import WebSocketException

ACCOUNTS = 12
SUM = ACCOUNTS * 100
LISTS = 4
"""Lists in use at a time; others take their place after `LIST_NS`, so that none gets long."""
LIST_NS = 3_000_000_000
CRON_S = 1
HTTP_WRITERS = 3
GONE = (OSError, EOFError, http.client.HTTPException, WebSocketException)

APP = {
    "bank.py": """
from convexpy import PaginationOptions, PaginationResult, internal, internal_mutation, mutation, query

@mutation
def open_accounts(ctx, count: int):
    for name in range(count):
        ctx.db.insert("accounts", {"name": name, "balance": 100})

@mutation
def append(ctx, appends: list[list[str]], frm: int, to: int, amount: int, repeated: bool = False):
    if repeated:
        lists = {key: (of_list(ctx, key) or {"values": []})["values"] for key, _ in appends}
        if all(value in lists[key] for key, value in appends):
            return {key: lists[key][:lists[key].index(value)] for key, value in appends}
    seen = {}
    for key, value in appends:
        document = of_list(ctx, key)
        seen[key] = document["values"] if document else []
        if document is None:
            ctx.db.insert("lists", {"key": key, "values": [value]})
        else:
            ctx.db.patch(document["_id"], {"values": [*seen[key], value]})
    found = {document["name"]: document for document in ctx.db.query("accounts")}
    ctx.db.patch(found[frm]["_id"], {"balance": found[frm]["balance"] - amount})
    ctx.db.patch(found[to]["_id"], {"balance": found[to]["balance"] + amount})
    ctx.scheduler.run_after(50, internal.bank.note, value=appends[0][1])
    return seen

def of_list(ctx, key):
    return ctx.db.query("lists").with_index("by_key", lambda q: q.eq("key", key)).first()

@internal_mutation
def note(ctx, value: str):
    ctx.db.insert("jobs", {"value": value})

@internal_mutation
def tick(ctx):
    ctx.db.insert("ticks", {})

@query
def read(ctx, lists: list[str]):
    found = {key: of_list(ctx, key) for key in lists}
    return {
        "lists": {key: document["values"] if document else [] for key, document in found.items()},
        "total": sum(document["balance"] for document in ctx.db.query("accounts")),
    }

@query
def balances(ctx):
    return [document["balance"] for document in ctx.db.query("accounts")]

@query
def total(ctx):
    return sum(document["balance"] for document in ctx.db.query("accounts"))

@query
def page(ctx, table: str, paginationOpts: PaginationOptions) -> PaginationResult:
    return ctx.db.query(table).paginate(paginationOpts)
""",
    "schema.py": """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "lists": define_table({"key": v.string(), "values": v.array(v.string())}).index("by_key", ["key"]),
    "accounts": define_table({"name": v.number(), "balance": v.number()}),
    "jobs": define_table({"value": v.string()}),
    "ticks": define_table({}),
})
""",
    "crons.py": f"""
from convexpy import cron_jobs, internal

crons = cron_jobs()
crons.interval("tick", internal.bank.tick, seconds={CRON_S})
""",
}
PYTHON_CLIENT = """
import sys
sys.path[:0] = [sys.argv.pop(1)]
from support.ledgers import official_client
official_client(*sys.argv[1:])
"""


class History:
    """What one client has asked for, written as it goes."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file.open("w", buffering=1)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._name = name
        self.random: random.Random = random.Random(name)

    def lists(self, count: int) -> list[str]:
        """Return some of the lists that are in use now."""
        first = time.monotonic_ns() // LIST_NS * LISTS
        return sorted({str(first + self.random.randrange(LISTS)) for _ in range(count)})

    def arguments(self) -> dict[str, Any]:
        """Return arguments of the next append, with a value that nobody else appends."""
        value = f"{self._name}{next(self._numbers)}"
        frm, to = self.random.sample(range(ACCOUNTS), 2)
        appends = [[key, value] for key in self.lists(self.random.choice((1, 1, 2)))]
        return {"appends": appends, "frm": frm, "to": to, "amount": self.random.randint(1, 9)}

    def write(self, began: int, ended: int | None, appends: Any, seen: Any) -> None:
        """Keep one operation."""
        line = json.dumps({"began": began, "ended": ended, "appends": appends, "seen": seen})
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        """End it."""
        self._file.close()


def official_client(url: str, file: str, stop: str, name: str) -> None:
    """Append and read with the PyPI client until the file `stop` is there.

    This client has another session on each connection, so nobody can tell that it repeats a mutation: its functions must. A
    call that is made while it connects again may fail.
    """
    from convex import ConvexClient

    history = History(Path(file), name)
    client: Any = ConvexClient(url)
    while not Path(stop).exists():
        began = time.monotonic_ns()
        if history.random.random() < 0.4:
            answer = _until_connected(client.query, "bank:read", {"lists": history.lists(2)})
            assert answer["total"] == SUM, answer
            history.write(began, time.monotonic_ns(), [], answer["lists"])
        else:
            given = history.arguments()
            seen = _until_connected(client.mutation, "bank:append", {**given, "repeated": True})
            history.write(began, time.monotonic_ns(), given["appends"], seen)
    history.close()


def _until_connected(call: Callable[[str, dict[str, Any]], Any], path: str, given: dict[str, Any]) -> Any:
    while True:
        try:
            return call(path, given)
        except Exception as error:
            if "channel closed" not in str(error):
                raise


class Ledgers:
    """The clients of a deployment of several nodes, and what is to be checked in the end."""

    def __init__(self, nodes: Sequence[ServerProcess], folder: Path, node_clients: Path) -> None:
        self._nodes = nodes
        self._folder = folder
        self._node_clients = node_clients
        self._stop = folder / "stop"
        self._files: list[Path] = []
        self._threads: list[threading.Thread] = []
        self._processes: list[subprocess.Popen[str]] = []
        self.errors: list[BaseException] = []
        self.acknowledged: int = 0
        self.transitions: int = 0

    def start(self) -> None:
        """Set up the bank, and start all clients."""
        self._nodes[0].push_ok(APP)
        self._nodes[0].call("mutation", "bank:open_accounts", count=ACCOUNTS)
        for number in range(HTTP_WRITERS):
            self._thread(self._over_http, f"h{number}-")
        for node in self._nodes:
            self._thread(self._subscriber, node)
        for number, node in enumerate(self._nodes[1:]):
            name = f"p{number}-"
            tests = str(Path(__file__).parents[1])
            self._process([sys.executable, "-c", PYTHON_CLIENT, tests], node, name)
            self._process(["node", "history.mjs"], node, f"n{number}-")

    def _thread(self, work: Any, *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(error)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def _file(self, name: str) -> Path:
        self._files.append(self._folder / f"{name}history")
        return self._files[-1]

    def _process(self, command: list[str], node: ServerProcess, name: str) -> None:
        file = self._file(name)
        with file.with_suffix(".log").open("w") as log:
            self._processes.append(
                subprocess.Popen(
                    [*command, node.url, str(file), str(self._stop), name],
                    cwd=self._node_clients,
                    stdout=log,
                    stderr=log,
                    text=True,
                )
            )

    def _over_http(self, name: str) -> None:
        """Append and read over HTTP, at another node each time; what was not answered may have happened."""
        history = History(self._file(name), name)
        while not self._stop.exists():
            node, began = history.random.choice(self._nodes), time.monotonic_ns()
            appends: Any = []
            try:
                if history.random.random() < 0.4:
                    answer = node.call("query", "bank:read", lists=history.lists(2))
                    assert answer["total"] == SUM, answer
                    history.write(began, time.monotonic_ns(), [], answer["lists"])
                else:
                    given = history.arguments()
                    appends = given["appends"]
                    seen = node.call("mutation", "bank:append", **given)
                    history.write(began, time.monotonic_ns(), appends, seen)
                    self.acknowledged += 1
            except GONE:
                if appends:
                    history.write(began, None, appends, {})
            except AssertionError as error:
                if not _is_refusal(error):
                    raise
                if appends:
                    history.write(began, None, appends, {})
        history.close()

    def _subscriber(self, node: ServerProcess) -> None:
        while not self._stop.exists():
            try:
                with SyncSocket(node.url) as client:
                    client.modify(add(0, "bank:balances"), add(1, "bank:total"))
                    while not self._stop.exists():
                        client.transition()
                        assert sum(client.results[0]) == client.results[1] == SUM
                        self.transitions += 1
            except GONE:
                self._stop.exists() or time.sleep(0.05)

    def stop(self) -> None:
        """Let every client finish what it has begun."""
        self._stop.touch()
        for thread in self._threads:
            thread.join(300)
        for process, file in zip(self._processes, self._files[-len(self._processes) :], strict=True):
            try:
                status = process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            assert status == 0, (process.args, file.with_suffix(".log").read_text())

    def check(self) -> None:
        """Compare what clients were told with what is there."""
        if self.errors:
            raise self.errors[0]
        done = [operation for file in self._files for operation in read_history(file)]
        final = {row["key"]: row["values"] for row in self.everything("lists")}
        found = anomalies(done, final)
        (self._folder / "found.json").write_text(json.dumps({"anomalies": found, "lists": final}))
        counts = Counter("append" if operation.appends else "read" for operation in done)
        unknown = sum(operation.ended_ns is None for operation in done)
        print(f"{dict(counts)}, {unknown} without an answer, {self.transitions} transitions")
        assert found == []
        by_value = {value: operation for operation in done for _, value in operation.appends}
        committed = {value for values in final.values() for value in values}
        wait_for(
            lambda: len(self.everything("jobs")) >= len(committed), what="all jobs to have run", within_s=120
        )
        jobs = Counter(row["value"] for row in self.everything("jobs"))
        assert set(jobs) == committed
        assert set(jobs.values()) <= {1}
        assert set(jobs) <= set(by_value)
        ticks = [row["_creationTime"] / 1000 for row in self.everything("ticks")]
        assert len(ticks) <= (ticks[-1] - ticks[0]) / CRON_S + 2
        assert sum(self._nodes[0].call("query", "bank:balances")) == SUM

    def everything(self, table: str) -> list[dict[str, Any]]:
        """Return all documents of a table."""
        documents: list[dict[str, Any]] = []
        options: dict[str, Any] = {"cursor": None, "numItems": 500}
        while True:
            page = self._nodes[0].call("query", "bank:page", table=table, paginationOpts=options)
            documents += page["page"]
            if page["isDone"]:
                return documents
            options["cursor"] = page["continueCursor"]


def _is_refusal(error: AssertionError) -> bool:
    """Say whether a server has refused a call for now."""
    answer = error.args[0] if error.args else None
    return isinstance(answer, dict) and answer.get("code") in ("NoNodeServes", "NotCommitted", "ShuttingDown")
