"""Transfers per second over WebSockets, as official clients send mutations, against node + `ws` + better-sqlite3.

Each socket sends a transfer, waits for its MutationResponse and the Transition that follows, and sends the next. The peer
(`peers/transfers.mjs`) takes and sends the same messages and does the same work, just as durable. 8, 64 and 512
sockets, accounts picked uniformly; in turn within every round, the other server stopped meanwhile. Ratios are medians over
rounds; CPU is user and system time of the whole process tree.

    python benchmarks/bench_sync_mutations.py [--accounts 100000] [--seconds 4] [--rounds 3] [--quick] [--json]
"""

from __future__ import annotations

import gc
import random
import select
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_transfers import INITIAL, check_sum, seed
from harness.http_load import Load
from harness.processes import Meter
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, PEER_MISSING, Process, Server, alone, peer_or_none, raise_file_limit
from harness.sockets import SYNC_PATH, TRANSITION, WebSocket, add_queries, hello, mutation

SOCKETS = (8, 64, 512)
GOALS = {8: 1.5, 64: 3.0, 512: 3.0}
FAILED = b'"success":false'


def transfers(accounts: int) -> Iterator[dict[str, Any]]:
    """Return the arguments of endless transfers between different accounts."""
    chance = random.Random(1)
    while True:
        source, target = chance.sample(range(accounts), 2)
        yield {"amount": 1, "from_id": source, "to_id": target}


class Client:
    """One socket, one transfer at a time."""

    def __init__(self, port: int) -> None:
        self.socket = WebSocket(port, SYNC_PATH)
        self.socket.send(hello())
        self.socket.send(add_queries(0, []))
        while not any(message.startswith(TRANSITION) for message in self.socket.receive()):
            pass
        self._requests = 0
        self._answered = False
        self.sent_at = 0.0

    def send(self, args: dict[str, Any]) -> None:
        """Send a transfer."""
        self._answered = False
        self.socket.send(mutation(self._requests, "transfer:transfer", args))
        self._requests += 1

    def is_done(self, data: bytes) -> bool:
        """Say whether the transfer is done with what has come now: response and Transition."""
        done = False
        for message in self.socket.feed(data):
            if message.startswith(b'{"type":"MutationResponse"'):
                self._answered = True
                if FAILED in message:
                    raise SystemExit(f"a transfer failed: {message!r}")
            elif message.startswith(TRANSITION):
                done = self._answered
        return done


def closed_loop(clients: list[Client], calls: Iterator[dict[str, Any]], seconds: float) -> Load:
    """Keep one transfer under way on each socket for a while."""
    load = Load()
    by_number = {client.socket.socket.fileno(): client for client in clients}
    poll = select.epoll()
    clock = time.perf_counter
    gc.disable()
    began = clock()
    end = began + seconds
    under_way = set(by_number)
    for number, client in by_number.items():
        poll.register(number, select.EPOLLIN)
        client.sent_at = clock()
        client.send(next(calls))
    while under_way:
        for number, _ in poll.poll():
            client = by_number[number]
            data = client.socket.socket.recv(262144)
            if not data:
                raise SystemExit("the server closed a socket")
            if not client.is_done(data):
                continue
            now = clock()
            load.latencies_ms.append((now - client.sent_at) * 1000)
            if now < end:
                client.sent_at = now
                client.send(next(calls))
            else:
                under_way.discard(number)
    load.seconds = clock() - began
    gc.enable()
    poll.close()
    load.latencies_ms.sort()
    return load


def take_turn(
    server: Process, calls: Iterator[dict[str, Any]], sockets: int, seconds: float
) -> tuple[Load, float]:
    """Return what the clients saw, and the CPU µs of a transfer."""
    clients = [Client(server.port) for _ in range(sockets)]
    closed_loop(clients, calls, seconds / 8)
    meter = Meter(server.pid)
    load = closed_loop(clients, calls, seconds)
    cost = meter.cpu_s() / len(load.latencies_ms) * 1e6
    for client in clients:
        client.socket.socket.close()
    return load, cost


Turn = tuple[Load, float]


def measure(
    server: Server,
    peer: Process | None,
    calls: Iterator[dict[str, Any]],
    sockets: int,
    rounds: int,
    seconds: float,
) -> list[list[Turn]]:
    """Return our turns, and those of the peer where there is one."""
    sides: list[list[Turn]] = [[] for each in (server, peer) if each is not None]
    for number in range(rounds):
        progress(f"{sockets} sockets, round {number + 1} of {rounds}")
        for side, each, other in zip(sides, (server, peer), (peer, server), strict=False):
            assert each is not None  # it has a side
            with alone(other):
                side.append(take_turn(each, calls, sockets, seconds))
    return sides


def fill(report: Report, rows: list[list[str]], sockets: int, sides: list[list[Turn]]) -> None:
    """Fill in ratios and rows of one number of sockets."""
    if len(sides) == 2:
        rates = [[load.tps for load, _ in side] for side in sides]
        costs = [[cost for _, cost in side] for side in sides]
        report.ratio(f"transfers/s vs ws+SQLite, {sockets} sockets", median_of_ratios(*rates), GOALS[sockets])
        report.ratio(f"CPU per transfer vs ws+SQLite, {sockets} sockets", median_of_ratios(*costs))
    for who, side in zip(("convexpy", "ws+SQLite"), sides, strict=False):
        figures = zip(*((load.tps, load.p50_ms, load.p99_ms, cost) for load, cost in side), strict=True)
        tps, p50, p99, cost = map(statistics.median, figures)
        rows.append([f"{sockets} sockets, {who}", f"{tps:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{cost:.0f}"])


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--accounts", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.accounts, chosen.seconds, chosen.rounds = min(chosen.accounts, 1000), 0.2, 1
    raise_file_limit()
    report = Report("Transfers over WebSockets: one durable mutation, two reads and two updates", chosen)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        arguments = (str(data / "peer.db"), str(chosen.accounts), str(INITIAL))
        with (
            Server(data / "deployment") as server,
            peer_or_none("transfers.mjs", *arguments, log=data / "peer.log") as peer,
        ):
            server.push(BENCHMARKS / "apps" / "transfer")
            progress(f"seeding {chosen.accounts:,} accounts")
            seed(server, chosen.accounts)
            calls = transfers(chosen.accounts)
            for sockets in SOCKETS[:1] if chosen.quick else SOCKETS:
                fill(
                    report,
                    rows,
                    sockets,
                    measure(server, peer, calls, sockets, chosen.rounds, chosen.seconds),
                )
            check_sum(server, peer, chosen.accounts)
    report.table(["median of rounds", "transfers/s", "p50 ms", "p99 ms", "CPU µs each"], rows)
    if peer is None:
        report.note(PEER_MISSING)
    report.show()


if __name__ == "__main__":
    main()
