"""Transfers per second between 100,000 accounts, against node + better-sqlite3.

A transfer is one mutation over HTTP (`POST /api/mutation?format=json`, the arguments a bare object): two reads over an
index, two updates, durable before the answer. The peer (`peers/transfers.mjs`) does the same work for the same request
in one immediate transaction, just as durable (write-ahead log, synchronous=FULL). Both get 1, 8 and 64 closed-loop
clients, accounts picked uniformly and skewed (Zipf 1.5), in turn within every round; the other server is stopped
meanwhile, so what each has left to do in the background falls into its own turn. Ratios are medians over rounds. CPU is
user and system time of the whole process tree. At the end the sum of all balances is checked.

    python benchmarks/bench_transfers.py [--accounts 100000] [--seconds 4] [--rounds 3] [--quick] [--json]
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.http_load import Load, closed_loop, post_request
from harness.processes import Meter, Split
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, PEER_MISSING, Peer, Process, Server, alone, peer_or_none

INITIAL = 1000
SEED_SLICE = 7000
CLIENTS = (1, 8, 64)
SKEW = {"uniform": 0.0, "skewed": 1.5}
REQUESTS_MADE = 20_000
WARM_UP_S = 0.5


@dataclass
class Turn:
    """One server's turn: what the clients saw, and what it cost."""

    load: Load
    cpu_us: float
    split_us: dict[str, tuple[float, float]]
    """User and system microseconds of each part of our server."""


def seed(server: Server, accounts: int) -> None:
    """Insert the accounts."""
    for start in range(0, accounts, SEED_SLICE):
        count = min(SEED_SLICE, accounts - start)
        server.call("mutation", "accounts:seed_range", start=start, count=count, initial=INITIAL)


def transfer_requests(accounts: int, skew: float) -> list[bytes]:
    """Return requests between pairs of different accounts; `skew` is the exponent of a Zipf distribution."""
    chance = random.Random(1)
    numbers = range(accounts)
    weights = list(itertools.accumulate(1 / (rank + 1) ** skew for rank in numbers)) if skew else None
    picks = iter(chance.choices(numbers, cum_weights=weights, k=REQUESTS_MADE * 8))
    requests = []
    for _ in range(REQUESTS_MADE):
        source = next(picks)
        target = next(number for number in picks if number != source)
        args = {"amount": 1, "from_id": source, "to_id": target}
        body = json.dumps({"path": "transfer:transfer", "args": args}).encode()
        requests.append(post_request("/api/mutation?format=json", body))
    return requests


def take_turn(server: Process, requests: Iterator[bytes], clients: int, seconds: float) -> Turn:
    """Measure one server, after a moment of warming up."""
    closed_loop(server.port, requests, clients, WARM_UP_S)
    meter, split = Meter(server.pid), Split(server.pid)
    load = closed_loop(server.port, requests, clients, seconds)
    if load.failures:
        raise SystemExit(f"{load.failures} transfers failed")
    each_us = 1e6 / len(load.latencies_ms)
    parts = {name: (user * each_us, system * each_us) for name, (user, system) in split.cpu_s().items()}
    return Turn(load, meter.cpu_s() * each_us, parts)


def check_sum(server: Server, peer: Peer | None, accounts: int) -> None:
    """End the benchmark unless no money was made or lost on either side."""
    parts = [
        server.call("query", "accounts:total", start=start, end=min(start + SEED_SLICE, accounts))
        for start in range(0, accounts, SEED_SLICE)
    ]
    ours = (sum(part["count"] for part in parts), sum(part["sum"] for part in parts))
    sums = {ours}
    if peer is not None:
        theirs = peer.post("/total", {})
        sums.add((theirs["count"], theirs["sum"]))
    if sums != {(accounts, accounts * INITIAL)}:
        raise SystemExit(f"the sum is not conserved: {sums}")


Turns = dict[tuple[str, int], list[tuple[Turn, ...]]]
"""The turns of a case: in each round ours, and the peer's where there is one."""


def measure(server: Server, peer: Peer | None, accounts: int, rounds: int, seconds: float) -> Turns:
    """Return for each case the turns of both servers."""
    requests = {name: itertools.cycle(transfer_requests(accounts, skew)) for name, skew in SKEW.items()}
    turns: Turns = {}
    for number in range(rounds):
        for clients in CLIENTS:
            for name in SKEW:
                progress(f"round {number + 1} of {rounds}: {clients} clients, {name}")
                taken: list[Turn] = []
                for each, other in ((server, peer), (peer, server)):
                    if each is not None:
                        with alone(other):
                            taken.append(take_turn(each, requests[name], clients, seconds))
                turns.setdefault((name, clients), []).append(tuple(taken))
    return turns


def fill(turns: Turns, report: Report) -> None:
    """Fill in ratios and table."""
    with_peer = {case: pairs for case, pairs in turns.items() if len(pairs[0]) == 2}
    for (name, clients), pairs in with_peer.items():
        ratio = median_of_ratios(
            [ours.load.tps for ours, _ in pairs], [theirs.load.tps for _, theirs in pairs]
        )
        report.ratio(
            f"transfers/s vs node+SQLite, {clients} clients, {name}", ratio, 4.0 if clients == 64 else None
        )
    for (name, clients), pairs in with_peer.items():
        ratio = median_of_ratios([ours.cpu_us for ours, _ in pairs], [theirs.cpu_us for _, theirs in pairs])
        report.ratio(f"CPU per transfer vs node+SQLite, {clients} clients, {name}", ratio)
    for clients in CLIENTS:
        skewed = [turn[0].load.tps for turn in turns["skewed", clients]]
        uniform = [turn[0].load.tps for turn in turns["uniform", clients]]
        goal = 0.8 if clients == 64 else None
        report.ratio(f"skewed / uniform, {clients} clients", median_of_ratios(skewed, uniform), goal)
    rows = []
    for (name, clients), pairs in turns.items():
        for who, side in (("convexpy", 0), ("node+SQLite", 1))[: len(pairs[0])]:
            both = [pair[side] for pair in pairs]
            middle = [
                statistics.median(values)
                for values in zip(
                    *((turn.load.tps, turn.load.p50_ms, turn.load.p99_ms, turn.cpu_us) for turn in both),
                    strict=True,
                )
            ]
            rows.append(
                [
                    f"{clients} clients, {name}, {who}", f"{middle[0]:,.0f}", f"{middle[1]:.2f}", f"{middle[2]:.2f}",
                    f"{middle[3]:.0f}",
                ]
            )  # fmt: skip
    for (name, clients), pairs in turns.items():
        parts = ", ".join(
            f"{part} {statistics.median(turn[0].split_us[part][0] for turn in pairs):.0f}"
            f" + {statistics.median(turn[0].split_us[part][1] for turn in pairs):.0f}"
            for part in Split.PARTS
        )
        report.note(f"{clients} clients, {name}, user + system µs of a transfer: {parts}")
    report.table(["median of rounds", "transfers/s", "p50 ms", "p99 ms", "CPU µs each"], rows)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--accounts", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.accounts, chosen.seconds, chosen.rounds = min(chosen.accounts, 1000), 0.2, 1
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        log = data / "peer.log"
        with (
            Server(data / "deployment") as server,
            peer_or_none(
                "transfers.mjs", str(data / "peer.db"), str(chosen.accounts), str(INITIAL), log=log
            ) as peer,
        ):
            server.push(BENCHMARKS / "apps" / "transfer")
            progress(f"seeding {chosen.accounts:,} accounts")
            seed(server, chosen.accounts)
            turns = measure(server, peer, chosen.accounts, chosen.rounds, chosen.seconds)
            check_sum(server, peer, chosen.accounts)
    result = Report("Transfers: one durable mutation, two reads over an index and two updates", chosen)
    fill(turns, result)
    result.note(f"{chosen.accounts:,} accounts; the sum of all balances is conserved")
    if peer is None:
        result.note(PEER_MISSING)
    result.show()


if __name__ == "__main__":
    main()
