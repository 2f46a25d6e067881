"""What several nodes do and cost: transfers over one, two and three of them, latency, sockets, and how long a takeover lasts.

Three nodes on PostgreSQL and an object store, all on this machine. Transfers (see `bench_transfers_postgres.py`) whose clients are
shared out among one, two and three nodes, against node + `pg` in serializable transactions on the same database, in turn, CPU with
the database's; a mutation until a subscriber of another node has its effect; a relaying node that holds sockets in which nothing
happens; and kill -9 of the node that serves until another one has answered a call that came meanwhile.

    python benchmarks/bench_nodes.py [--accounts 20000] [--seconds 4] [--rounds 3] [--sockets 1000] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_transfers import INITIAL, SKEW, check_sum, seed, transfer_requests
from harness.http_load import Load, closed_loop, quantile
from harness.processes import Meter, pss_bytes, tree
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, ROOT, Peer, Server, alone, peer_or_none, raise_file_limit
from harness.sockets import SYNC_PATH, Crowd, add_queries, hello

sys.path.insert(0, str(ROOT / "tests"))  # where the support for PostgreSQL and S3 is

from support.postgres import MISSING, PostgresServer, binaries
from support.s3 import s3_server

CLIENTS = 64
WARM_UP_S = 0.5
PEER = "node + pg"
IDLE_S = 5.0
GOALS = {"uniform": 8.0, "skewed": 20.0}


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


@dataclass
class Turn:
    """What the clients of some nodes saw, and what it cost with the database."""

    load: Load
    cpu_us: float
    relay_us: float


def take_turn(
    ports: list[int], pids: list[int], relays: list[int], requests: Iterator[bytes], seconds: float
) -> Turn:
    """Measure some nodes, after a moment of warming up; `pids` are the roots of what works for it."""
    closed_loop(ports, requests, CLIENTS, WARM_UP_S)
    meters, relaying = [Meter(pid) for pid in pids], [Meter(pid) for pid in relays]
    load = closed_loop(ports, requests, CLIENTS, seconds)
    if load.failures:
        raise SystemExit(f"{load.failures} transfers failed")
    each_us = 1e6 / len(load.latencies_ms)
    return Turn(load, sum(m.cpu_s() for m in meters) * each_us, sum(m.cpu_s() for m in relaying) * each_us)


def measure_transfers(
    nodes: list[Server], peer: Peer | None, database: PostgresServer, chosen: Any, report: Report
) -> None:
    """Compare transfers over one, two and three nodes with those of the peer."""
    requests = {
        name: itertools.cycle(transfer_requests(chosen.accounts, skew)) for name, skew in SKEW.items()
    }
    turns: dict[tuple[str, str], list[Turn]] = {}
    for number, name in itertools.product(range(chosen.rounds), SKEW):
        progress(f"round {number + 1} of {chosen.rounds}: {name}")
        for count in (1, 2, 3):
            some = nodes[:count]
            with contextlib.ExitStack() as stopped:
                for other in (*nodes[count:], peer):
                    stopped.enter_context(alone(other))
                turn = take_turn(
                    [node.port for node in some],
                    [database.pid, *(node.pid for node in some)],
                    [node.pid for node in some[1:]],
                    requests[name],
                    chosen.seconds,
                )
            turns.setdefault((name, f"{count} nodes"), []).append(turn)
        if peer is not None:
            # The node that serves must go on renewing its lease.
            turn = take_turn([peer.port], [database.pid, peer.pid], [], requests[name], chosen.seconds)
            turns.setdefault((name, PEER), []).append(turn)
    rows: list[list[str]] = []
    for (name, who), taken in turns.items():
        theirs = turns.get((name, PEER))
        if theirs is not None and who != PEER:
            tps = median_of_ratios([t.load.tps for t in taken], [t.load.tps for t in theirs])
            report.ratio(f"transfers/s vs {PEER}, {who}, {name}", tps, GOALS[name])
            cpu = median_of_ratios([t.cpu_us for t in taken], [t.cpu_us for t in theirs])
            report.ratio(f"CPU per transfer vs {PEER}, {who}, {name}", cpu)
        columns = zip(
            *((t.load.tps, t.load.p50_ms, t.load.p99_ms, t.cpu_us, t.relay_us) for t in taken), strict=True
        )
        rows.append([f"{name}, {who}", *(f"{statistics.median(values):,.1f}" for values in columns)])
    report.table(["64 clients", "transfers/s", "p50 ms", "p99 ms", "CPU µs each", "of relays"], rows)


def measure_latency(serving: Server, relaying: Server, accounts: int, mutations: int, report: Report) -> None:
    """Measure from a call at one node to a subscriber of the other; money goes to and fro, so that there is always some."""
    watched, other = accounts - 1, accounts - 2
    progress("from a commit to subscribers")
    times: dict[str, list[float]] = {}
    for kind, node in (("the serving node", serving), ("a relaying node", relaying)):
        crowd = Crowd(node.port, SYNC_PATH, 1)
        crowd.members[0].send(hello())
        crowd.members[0].send(add_queries(0, [(0, "accounts:get_account", {"id": watched})]))
        crowd.until_each_has(1)
        crowd.drain()
        for number in range(mutations):
            pair = (watched, other) if number % 2 else (other, watched)
            args = {"from_id": pair[0], "to_id": pair[1], "amount": 1}
            seconds, _, _ = crowd.until_each_has(
                1, trigger=lambda args=args: serving.call("mutation", "transfer:transfer", **args)
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
    held = pss_bytes(tree(relaying.pid)) - before
    report.ratio("memory of an idle socket in a relay", held / count / 1024, unit="KiB")
    meter = Meter(relaying.pid)
    time.sleep(IDLE_S)
    report.ratio("CPU of a relay with idle sockets", meter.cpu_s() / IDLE_S * 100, unit="% of a core")
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
    options.add_argument("--accounts", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--sockets", type=int, default=1000)
    chosen: Any = options.parse_args()
    if chosen.quick:
        chosen.accounts, chosen.seconds, chosen.rounds, chosen.sockets = 1000, 0.2, 1, 50
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
        seed(serving, chosen.accounts)
        relaying, third = nodes.start("b"), nodes.start("c")
        running.callback(lambda: relaying.stop())  # noqa: PLW0108
        arguments = (database.url().partition("?")[0], "peer", str(chosen.accounts), str(INITIAL))
        with peer_or_none("transfers_pg.mjs", *arguments, log=folder / "peer.log") as peer:
            measure_transfers([serving, relaying, third], peer, database, chosen, report)
            check_sum(serving, peer, chosen.accounts)
        third.stop()
        measure_latency(serving, relaying, chosen.accounts, 20 if chosen.quick else 300, report)
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
