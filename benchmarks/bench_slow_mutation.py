"""Does a mutation that takes half a second, called once a second, hold up the others?

Transfers (see bench_transfers.py) are sent at a steady rate, whether or not those before have been answered, so that a
standstill is seen by all who come while it lasts; latencies are from the time at which a call was due. In turns on one
server: transfers alone, beside a slow transfer that sleeps, beside one that computes, and beside one that computes and has
read accounts that the others write. The differences are of p99, the median over rounds.

    python benchmarks/bench_slow_mutation.py [--rate 200] [--seconds 10] [--rounds 5]
"""

from __future__ import annotations

import itertools
import json
import select
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench_transfers import seed, transfer_requests
from harness.http_load import SUCCESS, Caller, Load, connect, post_request
from harness.processes import settle
from harness.report import Report, parser, progress
from harness.servers import BENCHMARKS, Server

ACCOUNTS = 1000
CONNECTIONS = 64
ALONE, SLEEPS, COMPUTES, CONTENDED = "alone", "sleeps", "computes", "computes, contended"
TURNS = {ALONE: None, SLEEPS: (False, ACCOUNTS), COMPUTES: (True, ACCOUNTS), CONTENDED: (True, 0)}
"""What the slow transfer does: whether it computes, and its first account."""


def slow_requests(compute: bool, first: int, ms: float) -> Iterator[bytes]:
    """Yield slow transfers between two accounts, to and fro."""
    for number in itertools.count():
        accounts = (first + number % 2, first + 1 - number % 2)
        args = {"from_id": accounts[0], "to_id": accounts[1], "ms": ms, "compute": compute}
        yield post_request("/api/mutation", json.dumps({"path": "slow:transfer", "args": args}).encode())


class SlowCaller:
    """Calls a slow mutation at every full period, in a thread."""

    def __init__(self, port: int, requests: Iterator[bytes], every_s: float) -> None:
        self.latencies_ms: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, requests, every_s))

    def __enter__(self) -> SlowCaller:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self, port: int, requests: Iterator[bytes], every_s: float) -> None:
        caller = Caller(port)
        due = time.perf_counter()
        while not self._stopping.wait(max(0.0, due - time.perf_counter())):
            began = time.perf_counter()
            if SUCCESS not in caller.call(next(requests)):
                raise SystemExit("a slow transfer failed")
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
            due += every_s * (1 + (time.perf_counter() - due) // every_s)
        caller.close()


def steady(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> Load:
    """Send requests when they are due, each on a connection that is free."""
    load = Load(seconds=seconds)
    sockets = {sock.fileno(): sock for sock in (connect(port) for _ in range(CONNECTIONS))}
    free = list(sockets)
    due_at: dict[int, float] = {}
    poll = select.epoll()
    for number in sockets:
        poll.register(number, select.EPOLLIN)
    clock = time.perf_counter
    began = clock()
    sent, count = 0, int(rate * seconds)
    while sent < count or due_at:
        while sent < count and free and began + sent / rate <= clock():
            number = free.pop()
            due_at[number] = began + sent / rate
            sockets[number].send(next(requests))
            sent += 1
        wait_s = began + sent / rate - clock() if sent < count and free else 1.0
        for number, _ in poll.poll(max(0.0, wait_s)):
            if SUCCESS not in sockets[number].recv(65536):
                load.failures += 1
            load.latencies_ms.append((clock() - due_at.pop(number)) * 1000)
            free.append(number)
    for sock in sockets.values():
        sock.close()
    poll.close()
    load.latencies_ms.sort()
    return load


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--rate", type=float, default=200, help="transfers a second")
    options.add_argument("--slow-ms", type=float, default=500)
    options.add_argument("--seconds", type=float, default=10, help="of each turn")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.slow_ms = 1.0, 1, 100
    loads: dict[str, list[Load]] = {turn: [] for turn in TURNS}
    slow_ms: dict[str, list[float]] = {turn: [] for turn in TURNS}
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        server.push(BENCHMARKS / "apps" / "transfer")
        seed(server, ACCOUNTS + 2)
        requests = itertools.cycle(transfer_requests(ACCOUNTS, 0.0))
        steady(server.port, requests, chosen.rate, chosen.seconds / 5)
        for number in range(chosen.rounds):
            progress(f"round {number + 1} of {chosen.rounds}")
            for turn, does in TURNS.items():
                settle(server.pid, quiet_s=0.5)
                with ExitStack() as stack:
                    if does is not None:
                        slow = SlowCaller(
                            server.port, slow_requests(*does, chosen.slow_ms), 2 * chosen.slow_ms / 1000
                        )
                        stack.enter_context(slow)
                    loads[turn].append(steady(server.port, requests, chosen.rate, chosen.seconds))
                if does is not None:
                    slow_ms[turn] += slow.latencies_ms
    result = Report(f"Transfers beside a mutation that takes {chosen.slow_ms:g} ms half of the time", chosen)
    for turn in (SLEEPS, COMPUTES, CONTENDED):
        more = [
            with_.p99_ms - without.p99_ms for with_, without in zip(loads[turn], loads[ALONE], strict=True)
        ]
        goal = 20 if turn != CONTENDED else None
        result.ratio(
            f"p99 beside one that {turn}, more than alone", statistics.median(more), goal, "less", unit="ms"
        )
    rows = [
        [
            turn, f"{statistics.median(load.p50_ms for load in turns):.2f}",
            f"{statistics.median(load.p99_ms for load in turns):.2f}",
            f"{statistics.median(load.latencies_ms[-1] for load in turns):.1f}",
            f"{statistics.median(slow_ms[turn]):.0f}" if slow_ms[turn] else "",
            f"{sum(load.failures for load in turns)}",
        ]
        for turn, turns in loads.items()
    ]  # fmt: skip
    result.table(["the slow one", "p50 ms", "p99 ms", "longest ms", "slow one ms", "failures"], rows)
    result.show()


if __name__ == "__main__":
    main()
