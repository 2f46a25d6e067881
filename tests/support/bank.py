"""Clients of all kinds that move money between accounts, and go on over the loss of their server.

Each transfer also writes its key into a ledger. Clients over sockets repeat what was not answered, with the same session and
request; clients over HTTP do not, for they cannot know. The sum over all accounts never changes, so a query or a Transition
of two moments would show another one.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable

from support.processes import ServerProcess
from support.sockets import SyncSocket, add
from websockets.exceptions import WebSocketException

ACCOUNTS = 12
SUM = ACCOUNTS * 100
IN_FLIGHT = 6
GONE = (OSError, EOFError, http.client.HTTPException, WebSocketException)

BANK = """
import time
from convexpy import define_schema, define_table, mutation, query, v

@mutation
def open_accounts(ctx, count: int):
    for name in range(count):
        ctx.db.insert("accounts", {"name": name, "balance": 100})

@mutation
def transfer(ctx, key: str, frm: int, to: int, amount: int) -> str:
    return move(ctx, key, frm, to, amount)

@mutation
def slow_transfer(ctx, key: str, frm: int, to: int, amount: int) -> str:
    time.sleep(0.05)
    return move(ctx, key, frm, to, amount)

def move(ctx, key, frm, to, amount):
    found = {document["name"]: document for document in ctx.db.query("accounts")}
    ctx.db.patch(found[frm]["_id"], {"balance": found[frm]["balance"] - amount})
    ctx.db.patch(found[to]["_id"], {"balance": ctx.db.get(found[to]["_id"])["balance"] + amount})
    ctx.db.insert("ledger", {"key": key})
    return key

@query
def balances(ctx):
    return [document["balance"] for document in ctx.db.query("accounts")]

@query
def total(ctx):
    return sum(document["balance"] for document in ctx.db.query("accounts"))

@query
def ledger(ctx, after: float):
    rows = ctx.db.query("ledger").with_index("by_creation_time", lambda q: q.gt("_creationTime", after)).take(5000)
    return [[row["_creationTime"], row["key"]] for row in rows]
"""


class Load:
    """Clients that go on until they are told to stop, and what they were told."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.acknowledged: list[str] = []
        self.transitions = 0
        self.errors: list[BaseException] = []
        self.stopping = threading.Event()
        self.ready = threading.Event()
        work: list[Callable[[int], None]] = [
            self._http,
            self._http,
            self._socket,
            self._socket,
            self._slow_socket,
            self._subscriber,
        ]
        self._threads = [threading.Thread(target=self._run, args=(one, n)) for n, one in enumerate(work)]

    def start(self) -> None:
        """Start all clients."""
        self.ready.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client finish what it has begun."""
        self.stopping.set()
        self.ready.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[int], None], number: int) -> None:
        while not self.errors:
            try:
                work(number)
                return
            except GONE:
                # The server has just been killed, or is about to be started.
                self.ready.wait(30)
            except BaseException as error:
                self.errors.append(error)

    def _transfer(self, numbers: random.Random) -> dict[str, object]:
        frm, to = numbers.sample(range(ACCOUNTS), 2)
        return {
            "key": str(uuid.UUID(int=numbers.getrandbits(128))),
            "frm": frm,
            "to": to,
            "amount": numbers.randint(1, 9),
        }

    def _http(self, number: int) -> None:
        numbers = random.Random(f"{self.seed} {number} {time.monotonic_ns()}")
        while not self.stopping.is_set():
            self.acknowledged.append(self.server.call("mutation", "bank:transfer", **self._transfer(numbers)))
            assert sum(self.server.call("query", "bank:balances")) == SUM

    def _slow_socket(self, number: int) -> None:
        self._socket(number, "bank:slow_transfer")

    def _socket(self, number: int, path: str = "bank:transfer") -> None:
        numbers = random.Random(f"{self.seed} {number}")
        session = str(uuid.UUID(int=numbers.getrandbits(128)))
        pending: dict[int, dict[str, object]] = {}
        request = 0
        while pending or not self.stopping.is_set():
            try:
                with SyncSocket(self.server.url, session=session) as client:
                    for number_, transfer in pending.items():
                        client.mutation(number_, path, **transfer)
                    while pending or not self.stopping.is_set():
                        while len(pending) < IN_FLIGHT and not self.stopping.is_set():
                            # Counted before it is sent: a send that fails has used the number up.
                            number_, request = request, request + 1
                            pending[number_] = self._transfer(numbers)
                            client.mutation(number_, path, **pending[number_])
                        answer = client.until(lambda message: message["type"] == "MutationResponse")
                        assert answer["success"], answer
                        assert answer["result"] == pending[answer["requestId"]]["key"]
                        self.acknowledged.append(answer["result"])
                        del pending[answer["requestId"]]
            except GONE:
                self.ready.wait(30)

    def _subscriber(self, number: int) -> None:
        with SyncSocket(self.server.url) as client:
            client.modify(add(0, "bank:balances"), add(1, "bank:total"))
            while not self.stopping.is_set():
                client.transition()
                assert sum(client.results[0]) == client.results[1] == SUM
                self.transitions += 1


def ledger(server: ServerProcess) -> Counter[str]:
    keys: Counter[str] = Counter()
    after = 0.0
    while rows := server.call("query", "bank:ledger", after=after):
        keys.update(key for _, key in rows)
        after = rows[-1][0]
    return keys


def check(server: ServerProcess, load: Load) -> None:
    """Compare what was acknowledged with what is there: nothing is lost, nothing is there twice, no money was made."""
    if load.errors:
        raise load.errors[0]
    applied = ledger(server)
    print(f"{len(load.acknowledged)} acknowledged, {load.transitions} transitions")
    assert [key for key in load.acknowledged if key not in applied] == []
    assert [key for key, times in applied.items() if times > 1] == []
    assert len(set(load.acknowledged)) == len(load.acknowledged)
    assert sum(server.call("query", "bank:balances")) == SUM
