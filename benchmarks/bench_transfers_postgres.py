"""Transfers per second with the data in PostgreSQL, against node + `pg` in serializable transactions, and against SQLite.

The same transfers as `bench_transfers.py`, by our server on PostgreSQL, by our server on SQLite, and by a Node program
(`peers/transfers_pg.mjs`) that does each in one serializable transaction, repeated while it conflicts. Both use the same
database server, which is started for this on a folder of its own, as durable as it comes (fsync and synchronous_commit on);
its CPU counts for whom it works. They take turns, the others are stopped meanwhile.

    python benchmarks/bench_transfers_postgres.py [--accounts 20000] [--seconds 4] [--rounds 3] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench_transfers import INITIAL, SKEW, check_sum, seed, transfer_requests
from harness.http_load import closed_loop
from harness.processes import Meter
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, PEER_MISSING, ROOT, Peer, Process, Server, alone, peer_or_none

sys.path.insert(0, str(ROOT / "tests"))  # where the support for PostgreSQL is

from support.postgres import MISSING, PostgresServer, binaries

CLIENTS = (1, 64)
WARM_UP_S = 0.5
OURS, SQLITE, PEER = "convexpy, PostgreSQL", "convexpy, SQLite", "node + pg"


@dataclass
class Turn:
    """What the clients of one server saw, and what it cost with its database."""

    tps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def take_turn(
    server: Process, database: PostgresServer, requests: Iterator[bytes], clients: int, seconds: float
) -> Turn:
    """Measure one server, after a moment of warming up."""
    closed_loop(server.port, requests, clients, WARM_UP_S)
    meters = Meter(server.pid), Meter(database.pid)
    load = closed_loop(server.port, requests, clients, seconds)
    if load.failures:
        raise SystemExit(f"{load.failures} transfers failed")
    spent_s = sum(meter.cpu_s() for meter in meters)
    return Turn(load.tps, load.p50_ms, load.p99_ms, spent_s * 1e6 / len(load.latencies_ms))


Turns = dict[tuple[str, int], dict[str, list[Turn]]]


def measure(
    servers: dict[str, Process], database: PostgresServer, accounts: int, rounds: int, seconds: float
) -> Turns:
    """Return for each case the turns of each server."""
    requests = {name: itertools.cycle(transfer_requests(accounts, skew)) for name, skew in SKEW.items()}
    turns: Turns = {}
    for number, clients, name in itertools.product(range(rounds), CLIENTS, SKEW):
        progress(f"round {number + 1} of {rounds}: {clients} clients, {name}")
        for who, server in servers.items():
            with contextlib.ExitStack() as stopped:
                for other in servers.values():
                    if other is not server:
                        stopped.enter_context(alone(other))
                turn = take_turn(server, database, requests[name], clients, seconds)
            turns.setdefault((name, clients), {}).setdefault(who, []).append(turn)
    return turns


def fill(turns: Turns, report: Report) -> None:
    """Fill in ratios and table."""
    for (name, clients), by_server in turns.items():
        ours = by_server[OURS]
        for other in (PEER, SQLITE):
            if other not in by_server:
                continue
            tps = median_of_ratios([turn.tps for turn in ours], [turn.tps for turn in by_server[other]])
            goal = {"uniform": 8.0, "skewed": 20.0}[name] if (other, clients) == (PEER, 64) else None
            report.ratio(f"transfers/s vs {other}, {clients} clients, {name}", tps, goal)
            theirs = [turn.cpu_us for turn in by_server[other]]
            if all(theirs):  # a quick run may be shorter than the system's clock of processor time
                cpu = median_of_ratios([turn.cpu_us for turn in ours], theirs)
                report.ratio(f"CPU per transfer vs {other}, {clients} clients, {name}", cpu)
    rows = []
    for (name, clients), by_server in turns.items():
        for who, taken in by_server.items():
            middle = [
                statistics.median(values)
                for values in zip(*((t.tps, t.p50_ms, t.p99_ms, t.cpu_us) for t in taken), strict=True)
            ]
            rows.append(
                [f"{clients} clients, {name}, {who}", f"{middle[0]:,.0f}", f"{middle[1]:.2f}", f"{middle[2]:.2f}",
                 f"{middle[3]:.0f}"]
            )  # fmt: skip
    report.table(["median of rounds", "transfers/s", "p50 ms", "p99 ms", "CPU µs each"], rows)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--accounts", type=int, default=20_000)
    options.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.accounts, chosen.seconds, chosen.rounds = min(chosen.accounts, 1000), 0.2, 1
    result = Report("Transfers with the data in PostgreSQL", chosen)
    bin = binaries()
    if bin is None:
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        data = Path(folder)
        database = PostgresServer(bin, durable=True)
        running.callback(database.close)
        ours = running.enter_context(Server(data / "ours", database=database.url()))
        sqlite = running.enter_context(Server(data / "sqlite"))
        arguments = (database.url().partition("?")[0], "peer", str(chosen.accounts), str(INITIAL))
        peer: Peer | None = running.enter_context(
            peer_or_none("transfers_pg.mjs", *arguments, log=data / "peer.log")
        )
        servers: dict[str, Process] = {OURS: ours, SQLITE: sqlite}
        if peer is not None:
            servers[PEER] = peer
        for server in (ours, sqlite):
            server.push(BENCHMARKS / "apps" / "transfer")
            progress(f"seeding {chosen.accounts:,} accounts")
            seed(server, chosen.accounts)
        turns = measure(servers, database, chosen.accounts, chosen.rounds, chosen.seconds)
        check_sum(ours, peer, chosen.accounts)
        check_sum(sqlite, None, chosen.accounts)
    fill(turns, result)
    result.note(
        f"{chosen.accounts:,} accounts; the sum of all balances is conserved; CPU with the database's"
    )
    if peer is None:
        result.note(PEER_MISSING)
    result.show()


if __name__ == "__main__":
    main()
