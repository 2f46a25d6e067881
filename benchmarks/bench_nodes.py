"""What it costs that a call goes over another node than the one that serves, and how long a takeover lasts.

Two nodes on PostgreSQL and an object store, all on this machine. Transfers at the node that serves and over the one that relays, in
turn; a mutation until a subscriber of either node has its effect; kill -9 of the node that serves until the other one has answered a
call that came meanwhile; and a relaying node that holds sockets in which nothing happens.

    python benchmarks/bench_nodes.py [--seconds 4] [--rounds 5] [--sockets 1000] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_transfers import SKEW, check_sum, seed, transfer_requests
from harness.http_load import closed_loop, quantile
from harness.processes import cpu_s, pss_bytes, tree
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, ROOT, Server, raise_file_limit
from harness.sockets import SYNC_PATH, Crowd, add_queries, hello

sys.path.insert(0, str(ROOT / "tests"))  # where the support for PostgreSQL and S3 is

from support.postgres import MISSING, PostgresServer, binaries
from support.s3 import s3_server

CLIENTS = (1, 64)
ACCOUNTS = 1000
WARM_UP_S = 0.3


class Nodes:
    """The nodes of a deployment, each with a folder of its own."""

    def __init__(self, folder: Path, database: str, bucket: str, env: dict[str, str]) -> None:
        self._folder, self._database, self._env = folder, database, {**env, "CONVEXPY_SECRET_KEY": "k" * 64}
        (folder / "secret").write_text("ab" * 32)
        self._shared = ["--node", "127.0.0.1", "--name", "app", "--secret-file", str(folder / "secret")]
        self._shared += ["--storage", f"s3://{bucket}/files"]

    def start(self, name: str) -> Server:
        """Start a node."""
        return Server(self._folder / name, *self._shared, database=self._database, env=self._env)


def measure_calls(serving: Server, relaying: Server, seconds: float, rounds: int, report: Report) -> None:
    """Compare transfers at both nodes."""
    requests = itertools.cycle(transfer_requests(ACCOUNTS, SKEW["uniform"]))
    rows: list[list[str]] = []
    for clients in CLIENTS:
        found: dict[str, list[tuple[float, float, float]]] = {"serves": [], "relays": []}
        relayed_us: list[float] = []
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}: {clients} clients")
            for kind, node in (("serves", serving), ("relays", relaying)):
                closed_loop(node.port, requests, clients, WARM_UP_S)
                before = cpu_s(tree(relaying.pid))
                load = closed_loop(node.port, requests, clients, seconds)
                if load.failures:
                    raise SystemExit(f"{load.failures} transfers failed")
                found[kind].append((load.tps, load.p50_ms, load.p99_ms))
                if kind == "relays":
                    relayed_us.append((cpu_s(tree(relaying.pid)) - before) * 1e6 / len(load.latencies_ms))
        by_rate = [[turn[0] for turn in found[kind]] for kind in ("relays", "serves")]
        report.ratio(f"transfers/s over a relay, {clients} clients", median_of_ratios(*by_rate))
        for kind, turns in found.items():
            middle = [statistics.median(values) for values in zip(*turns, strict=True)]
            cost = f"{statistics.median(relayed_us):.0f}" if kind == "relays" else ""
            rows.append([f"{clients} clients, {kind}", *(f"{value:,.2f}" for value in middle), cost])
    report.table(["node", "transfers/s", "p50 ms", "p99 ms", "CPU µs of the relay"], rows)


def measure_latency(serving: Server, relaying: Server, mutations: int, report: Report) -> None:
    """Measure from a call at one node to a subscriber of the other."""
    progress("from a commit to subscribers")
    times: dict[str, list[float]] = {}
    for kind, node in (("the serving node", serving), ("a relaying node", relaying)):
        crowd = Crowd(node.port, SYNC_PATH, 1)
        crowd.members[0].send(hello())
        crowd.members[0].send(add_queries(0, [(0, "accounts:get_account", {"id": 1})]))
        crowd.until_each_has(1)
        crowd.drain()
        for _ in range(mutations):
            seconds, _, _ = crowd.until_each_has(
                1, trigger=lambda: serving.call("mutation", "transfer:transfer", from_id=1, to_id=2, amount=1)
            )
            times.setdefault(kind, []).append(seconds * 1000)
        crowd.close()
    report.ratio(
        "commit to a subscriber of another node, p95",
        quantile(times["a relaying node"], 0.95),
        60,
        "less",
        "ms",
    )
    report.ratio(
        "commit to a subscriber of the same node, p95", quantile(times["the serving node"], 0.95), unit="ms"
    )


def measure_sockets(relaying: Server, count: int, report: Report) -> None:
    """Measure what idle sockets cost a relaying node."""
    progress(f"{count:,} idle sockets")
    before = pss_bytes(tree(relaying.pid))
    crowd = Crowd(relaying.port, SYNC_PATH, count)
    for member in crowd.members:
        member.send(hello())
    time.sleep(1.0)
    report.ratio(
        "memory of an idle socket in a relay",
        (pss_bytes(tree(relaying.pid)) - before) / count / 1024,
        unit="KiB",
    )
    crowd.close()


def takeover(dying: Server, living: Server) -> float:
    """Kill one node; return the seconds until the other one has answered a call."""
    began = time.perf_counter()
    dying.kill()
    living.call("query", "accounts:get_account", id=1)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--sockets", type=int, default=1000)
    chosen: Any = options.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.sockets = 0.2, 1, 50
    raise_file_limit()
    report = Report("Several nodes", chosen)
    bin = binaries()
    if bin is None:
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        database = PostgresServer(bin, durable=True)
        running.callback(database.close)
        s3 = running.enter_context(s3_server(folder))
        nodes = Nodes(folder, database.url(), s3.bucket(), s3.env)
        serving = nodes.start("a")
        running.callback(lambda: serving.stop())  # noqa: PLW0108 - it is another one by then
        serving.push(BENCHMARKS / "apps" / "transfer")
        seed(serving, ACCOUNTS)
        relaying = nodes.start("b")
        running.callback(lambda: relaying.stop())  # noqa: PLW0108
        measure_calls(serving, relaying, chosen.seconds, chosen.rounds, report)
        check_sum(serving, None, ACCOUNTS)
        measure_latency(serving, relaying, 20 if chosen.quick else 300, report)
        measure_sockets(relaying, chosen.sockets, report)
        took: list[float] = []
        for number in range(chosen.rounds):
            progress(f"takeover {number + 1} of {chosen.rounds}")
            took.append(takeover(serving, relaying))
            serving, relaying = relaying, nodes.start(f"{number}")
        report.ratio("kill -9 to the first answer of another node, median", statistics.median(took), unit="s")
    report.show()


if __name__ == "__main__":
    main()
