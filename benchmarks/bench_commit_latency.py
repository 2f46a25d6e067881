"""Does a durable mutation take longer beside 100,000 idle subscriptions, or in a table of 1,000,000 documents?

One client sends one transfer after the other (see bench_transfers.py) and waits for each answer. Three servers of one
run, each on a folder of its own, take short turns, in another order each round; the others are stopped meanwhile. The plain one has 1,000 accounts and no subscriptions. The second has subscriptions as well: distinct
queries over the very index that transfers read, at account numbers that do not exist, held by 100 sockets. The third has
1,000,000 accounts and no subscriptions. Ratios are of median latencies, the median over rounds.

    python benchmarks/bench_commit_latency.py [--subscriptions 100000] [--documents 1000000] [--rounds 30]
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench_transfers import seed, transfer_requests
from harness.http_load import Load, sequential
from harness.processes import frozen, settle
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, Server, raise_file_limit
from harness.sockets import SYNC_PATH, Crowd, add_queries, hello

PLAIN, SUBSCRIBED, LARGE = "plain", "subscriptions", "documents"
FEW = 1000
SOCKETS = 100
QUERIES_PER_MESSAGE = 250
ABSENT = 10_000_000


def subscribe(server: Server, count: int) -> Crowd:
    """Hold `count` distinct queries over a hundred sockets; returns when each has its result."""
    crowd = Crowd(server.port, SYNC_PATH, min(SOCKETS, count))
    numbers = iter(range(ABSENT, ABSENT + count))
    for member in crowd.members:
        member.send(hello())
    share = count // len(crowd.members)
    for version, first in enumerate(range(0, share, QUERIES_PER_MESSAGE)):
        ids = range(first, min(first + QUERIES_PER_MESSAGE, share))
        for member in crowd.members:
            member.send(
                add_queries(version, [(id, "accounts:get_account", {"id": next(numbers)}) for id in ids])
            )
        crowd.until_each_has(1)
    return crowd


def start(stack: ExitStack, folder: Path, name: str, documents: int) -> Server:
    """Return a server with so many accounts, its checkpoint made."""
    server = stack.enter_context(Server(folder / name))
    server.push(BENCHMARKS / "apps" / "transfer")
    progress(f"{name}: seeding {documents:,} documents")
    seed(server, documents)
    return server


def measure(
    servers: dict[str, tuple[Server, int]], crowd: Crowd, rounds: int, seconds: float
) -> dict[str, list[Load]]:
    """Return the loads of each server, round by round."""
    requests = {name: itertools.cycle(transfer_requests(count, 0.0)) for name, (_, count) in servers.items()}
    loads: dict[str, list[Load]] = {name: [] for name in servers}
    order = list(servers)
    for number in range(rounds):
        if number % 5 == 0:
            progress(f"round {number + 1} of {rounds}")
        random.shuffle(order)
        for name in order:
            with ExitStack() as others:
                for other, (server, _) in servers.items():
                    if other != name:
                        others.enter_context(frozen(server.pid))
                sequential(servers[name][0].port, requests[name], seconds / 5)
                loads[name].append(sequential(servers[name][0].port, requests[name], seconds))
        crowd.drain(0.0)  # pings want answers
    return loads


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--subscriptions", type=int, default=100_000)
    options.add_argument("--documents", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.subscriptions, chosen.documents = (
            min(chosen.subscriptions, 1000),
            min(chosen.documents, 5000),
        )
        chosen.rounds, chosen.seconds = 2, 0.1
    raise_file_limit()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sizes = {PLAIN: FEW, SUBSCRIBED: FEW, LARGE: chosen.documents}
        servers = {name: (start(stack, Path(folder), name, count), count) for name, count in sizes.items()}
        progress(f"adding {chosen.subscriptions:,} subscriptions")
        crowd = subscribe(servers[SUBSCRIBED][0], chosen.subscriptions)
        stack.callback(crowd.close)
        for server, _ in servers.values():
            settle(server.pid)
        loads = measure(servers, crowd, chosen.rounds, chosen.seconds)
    medians = {name: [load.p50_ms for load in turns] for name, turns in loads.items()}
    result = Report("Latency of one durable mutation, one client", chosen)
    beside = f"beside {chosen.subscriptions:,} idle subscriptions / beside none"
    result.ratio(beside, median_of_ratios(medians[SUBSCRIBED], medians[PLAIN]), 1.1, "less")
    among = f"among {chosen.documents:,} documents / among {FEW:,}"
    result.ratio(among, median_of_ratios(medians[LARGE], medians[PLAIN]), 1.2, "less")
    rows = [
        [
            name, f"{statistics.median(medians[name]):.2f}",
            f"{statistics.median(load.p99_ms for load in turns):.2f}", f"{sum(len(load.latencies_ms) for load in turns):,}",
        ]
        for name, turns in loads.items()
    ]  # fmt: skip
    result.table(["server", "p50 ms", "p99 ms", "transfers"], rows)
    result.show()


if __name__ == "__main__":
    main()
