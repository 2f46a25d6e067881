"""Do queries that compute use both cores? The same server, held to one core and on two.

16 closed-loop clients call a query that computes for about 3 ms and reads nothing, so that no result is kept. The server
has an executor for queries on each core; in turn within every round, all its threads are held to one core, or may use
two. The ratio is the median over rounds.

    python benchmarks/bench_query_cores.py [--seconds 3] [--rounds 5] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import tempfile
from pathlib import Path

from bench_transfers import Turn, take_turn
from harness.http_load import post_request
from harness.processes import tree
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, Server

CLIENTS = 16
STEPS = 30_000
REQUESTS_MADE = 10_000
GOAL = 1.7


def hold(server: Server, cores: set[int]) -> None:
    """Let every thread of a server run on these cores only."""
    for process in tree(server.pid):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds = 0.2, 1
    bodies = (
        json.dumps({"path": "heavy:work", "args": {"rounds": STEPS, "number": number}}).encode()
        for number in range(REQUESTS_MADE)
    )
    requests = itertools.cycle([post_request("/api/query?format=json", body) for body in bodies])
    available = sorted(os.sched_getaffinity(0))[:2]
    turns: dict[int, list[Turn]] = {1: [], 2: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "deployment", "--query-executors", "2") as server,
    ):
        server.push(BENCHMARKS / "apps" / "transfer")
        for number in range(chosen.rounds):
            for cores, taken in turns.items():
                progress(f"round {number + 1} of {chosen.rounds}: cores: {cores}")
                hold(server, set(available[:cores]))
                taken.append(take_turn(server, requests, CLIENTS, chosen.seconds))
    report = Report("Queries that compute, on one core and on two", chosen)
    rates = {cores: [turn.load.tps for turn in taken] for cores, taken in turns.items()}
    report.ratio("queries/s on 2 cores / on 1", median_of_ratios(rates[2], rates[1]), GOAL)
    rows = [
        [
            f"cores: {cores}",
            f"{statistics.median(rates[cores]):,.0f}",
            f"{statistics.median(turn.load.p99_ms for turn in taken):.1f}",
            f"{statistics.median(turn.cpu_us for turn in taken):.0f}",
        ]
        for cores, taken in turns.items()
    ]
    report.table(["median of rounds", "queries/s", "p99 ms", "CPU µs each"], rows)
    report.show()


if __name__ == "__main__":
    main()
