"""How late are 1,000 jobs that fall due at once, and how many end in a second?

In turns on one server: 1,000 scheduled mutations that are due at one moment, and the same 1,000 mutations called over HTTP
on as many connections as jobs run in parallel. A job's lateness is from its time to the end of its mutation; a call's is
from the moment at which all begin to its answer. Ratios are the median over rounds.

    python benchmarks/bench_scheduler.py [--jobs 1000] [--rounds 7]
"""

from __future__ import annotations

import json
import select
import statistics
import tempfile
import time
from pathlib import Path

from harness.http_load import SUCCESS, connect, post_request, quantile
from harness.processes import settle
from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, Server

PARALLEL = 16
AHEAD_MS = 1500


def by_http(server: Server, count: int) -> list[float]:
    """Call the mutation `count` times; return when each answer came, in milliseconds from the beginning."""
    waiting = [
        post_request("/api/mutation", json.dumps({"path": "jobs:note", "args": {"number": number}}).encode())
        for number in range(count)
    ]
    sockets = {sock.fileno(): sock for sock in (connect(server.port) for _ in range(PARALLEL))}
    poll = select.epoll()
    ended: list[float] = []
    began = time.perf_counter()
    for number, sock in sockets.items():
        poll.register(number, select.EPOLLIN)
        sock.send(waiting.pop())
    while len(ended) < count:
        for number, _ in poll.poll():
            if SUCCESS not in sockets[number].recv(65536):
                raise SystemExit("a call failed")
            ended.append((time.perf_counter() - began) * 1000)
            if waiting:
                sockets[number].send(waiting.pop())
    for sock in sockets.values():
        sock.close()
    poll.close()
    return sorted(ended)


def by_schedule(server: Server, count: int) -> list[float]:
    """Schedule the mutation `count` times for one moment; return by how many milliseconds each ended after it."""
    at = round(time.time() * 1000) + AHEAD_MS
    for first in range(0, count, 1000):
        server.call("mutation", "jobs:plan", count=min(1000, count - first), at=at)
    time.sleep(max(0.0, at / 1000 - time.time()))
    while server.call("query", "jobs:pending", at=at):
        time.sleep(0.2)  # looking costs the server something, too
    late = server.call("query", "jobs:lateness", at=at, count=count)
    if len(late) != count:
        raise SystemExit(f"{len(late)} of {count} jobs were found")
    return sorted(late)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--jobs", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.jobs, chosen.rounds = min(chosen.jobs, 100), 1
    found: dict[str, list[list[float]]] = {"scheduled": [], "by HTTP": []}
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        server.push(BENCHMARKS / "apps" / "schedule")
        by_http(server, chosen.jobs)
        by_schedule(server, chosen.jobs)
        for number in range(chosen.rounds):
            progress(f"round {number + 1} of {chosen.rounds}")
            settle(server.pid)
            found["by HTTP"].append(by_http(server, chosen.jobs))
            settle(server.pid)
            found["scheduled"].append(by_schedule(server, chosen.jobs))
    p99 = {name: [quantile(times, 0.99) for times in turns] for name, turns in found.items()}
    per_s = {name: [1000 * len(times) / times[-1] for times in turns] for name, turns in found.items()}
    result = Report(f"{chosen.jobs:,} jobs due at once, {PARALLEL} at a time", chosen)
    result.ratio("jobs a second / calls a second", median_of_ratios(per_s["scheduled"], per_s["by HTTP"]))
    result.ratio(
        "p99 of lateness / p99 of the calls",
        median_of_ratios(p99["scheduled"], p99["by HTTP"]),
        better="less",
    )
    rows = [
        [
            name, f"{statistics.median(per_s[name]):,.0f}",
            f"{statistics.median(times[0] for times in turns):.1f}",
            f"{statistics.median(quantile(times, 0.5) for times in turns):.0f}",
            f"{statistics.median(p99[name]):.0f}",
        ]
        for name, turns in found.items()
    ]  # fmt: skip
    result.table(["", "a second", "first ms", "p50 ms", "p99 ms"], rows)
    result.show()


if __name__ == "__main__":
    main()
