"""Queries per second over HTTP, against a uvicorn server that only answers (`peers/bare_answer.py`).

32 closed-loop clients call `accounts:get_account`, which reads one document through an index. `read`: of 100,000 accounts
another one each time, so that the function runs. `known`: of 10 accounts, so that results are known (a query is
answered from memory for a second, as long as nothing that it read has changed). In turn within every round; the other
server is stopped meanwhile. Ratios are medians over rounds; CPU is user and system time of the whole process tree.

    python benchmarks/bench_queries.py [--accounts 100000] [--seconds 3] [--rounds 3] [--quick] [--json]
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_transfers import Turn, seed, take_turn
from harness.http_load import post_request
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, Process, Server, alone

CLIENTS = 32
KNOWN = 10
REQUESTS_MADE = 50_000
GOALS = {"read": 0.3, "known": 0.7}


def query_requests(accounts: int) -> Iterator[bytes]:
    """Return endless requests for accounts, in an order of chance."""
    numbers = list(range(accounts))
    random.Random(1).shuffle(numbers)
    bodies = (
        json.dumps({"path": "accounts:get_account", "args": {"id": number}}).encode()
        for number in numbers[:REQUESTS_MADE]
    )
    return itertools.cycle([post_request("/api/query?format=json", body) for body in bodies])


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--accounts", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.accounts, chosen.seconds, chosen.rounds = min(chosen.accounts, 1000), 0.2, 1
    turns: dict[str, list[tuple[Turn, Turn]]] = {name: [] for name in GOALS}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        peer_command = [sys.executable, str(BENCHMARKS / "peers" / "bare_answer.py")]
        with Server(data / "deployment") as server, Process(peer_command, log=data / "peer.log") as peer:
            server.push(BENCHMARKS / "apps" / "transfer")
            progress(f"seeding {chosen.accounts:,} accounts")
            seed(server, chosen.accounts)
            requests = {"read": query_requests(chosen.accounts), "known": query_requests(KNOWN)}
            for number in range(chosen.rounds):
                for name in GOALS:
                    progress(f"round {number + 1} of {chosen.rounds}: {name}")
                    with alone(peer):
                        ours = take_turn(server, requests[name], CLIENTS, chosen.seconds)
                    with alone(server):
                        theirs = take_turn(peer, requests[name], CLIENTS, chosen.seconds)
                    turns[name].append((ours, theirs))
    report = Report("Queries over HTTP: one document through an index", chosen)
    rows = []
    for name, pairs in turns.items():
        rates = [[turn.load.tps for turn in side] for side in zip(*pairs, strict=True)]
        costs = [[turn.cpu_us for turn in side] for side in zip(*pairs, strict=True)]
        report.ratio(f"{name}: queries/s vs bare uvicorn", median_of_ratios(*rates), GOALS[name])
        report.ratio(f"{name}: CPU per query vs bare uvicorn", median_of_ratios(*costs))
        for who, side in (("convexpy", 0), ("bare uvicorn", 1)):
            middle = statistics.median(rates[side]), statistics.median(costs[side])
            latency = statistics.median(pair[side].load.p99_ms for pair in pairs)
            rows.append([f"{name}, {who}", f"{middle[0]:,.0f}", f"{latency:.2f}", f"{middle[1]:.0f}"])
    report.table(["median of rounds", "queries/s", "p99 ms", "CPU µs each"], rows)
    report.show()


if __name__ == "__main__":
    main()
