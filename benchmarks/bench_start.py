"""From starting a server process to its ready line, with an empty table and with 1,000,000 documents.

Each folder is started after a clean stop, and after kill -9 in the middle of transfers, so that there is a log to fold
and a tail to read. Ready means that executors run and the port answers; the first query after it is timed too. The
anchor is reading every document of the same table with Python's sqlite3 (`SELECT *`).

    python benchmarks/bench_start.py [--documents 1000000] [--rounds 5] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench_transfers import seed, transfer_requests
from harness.http_load import closed_loop
from harness.report import Report, parser, progress
from harness.servers import BENCHMARKS, Server

KILL_AFTER_S = 1.5
CLIENTS = 8
FEW = 1000
READY_GOAL_S = 2.0


@dataclass
class Starts:
    """Seconds to the ready line and from there to the first answer."""

    ready: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    def take(self, data: Path) -> Server:
        """Start a server on a folder; note how long it took."""
        began = time.perf_counter()
        server = Server(data)
        ready = time.perf_counter()
        server.call("query", "accounts:get_account", id=1)
        self.ready.append(ready - began)
        self.first.append(time.perf_counter() - ready)
        return server


def kill_under_load(server: Server, documents: int) -> None:
    """Kill a server that is committing."""
    requests = itertools.cycle(transfer_requests(documents, 0.0)[:4000])

    def load() -> None:
        with contextlib.suppress(OSError, SystemExit):
            closed_loop(server.port, requests, CLIENTS, 60.0)

    thread = threading.Thread(target=load)
    thread.start()
    time.sleep(KILL_AFTER_S)
    server.kill()
    thread.join()


def select_all_s(data: Path) -> float:
    """Return how long reading the whole table takes."""
    began = time.perf_counter()
    with contextlib.closing(sqlite3.connect(data / "data.db")) as connection:
        for _ in connection.execute("SELECT * FROM accounts"):
            pass
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--documents", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.documents, chosen.rounds = min(chosen.documents, 5000), 1
    sizes = (FEW, chosen.documents)
    clean, killed = {size: Starts() for size in sizes}, {size: Starts() for size in sizes}
    select: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folders = {size: Path(name) / f"with{size}" for size in sizes}
        for size, data in folders.items():
            progress(f"seeding {size:,} documents")
            with Server(data) as server:
                server.push(BENCHMARKS / "apps" / "transfer")
                seed(server, size)
        for number in range(chosen.rounds):
            progress(f"round {number + 1} of {chosen.rounds}")
            for size, data in folders.items():
                server = clean[size].take(data)
                kill_under_load(server, size)
                killed[size].take(data).stop()
            select.append(select_all_s(folders[chosen.documents]))
    fill(chosen, clean, killed, select)


def fill(chosen: object, clean: dict[int, Starts], killed: dict[int, Starts], select: list[float]) -> None:
    """Print ratios and table."""
    result = Report("From process start to ready", chosen)  # type: ignore[arg-type]
    small, large = clean
    middle = statistics.median
    result.ratio(
        f"clean: {large:,} documents / {small:,}",
        middle(clean[large].ready) / middle(clean[small].ready),
        None,
        "less",
    )
    result.ratio(
        f"after kill -9: {large:,} documents / {small:,}", middle(killed[large].ready) / middle(killed[small].ready),
        None, "less",
    )  # fmt: skip
    result.ratio(
        f"{large:,} documents: after kill -9 / clean",
        middle(killed[large].ready) / middle(clean[large].ready),
        None,
        "less",
    )
    result.ratio(
        f"{large:,} documents: clean start / SELECT * of the table",
        middle(clean[large].ready) / middle(select),
        3.0,
        "less",
    )
    for name, seconds in (("ready", killed[large].ready), ("first answer after it", killed[large].first)):
        result.ratio(f"{name}, {large:,} documents after kill -9, median", middle(seconds), 1.5, "less", "s")
    result.ratio(
        "ready after kill -9, the slowest",
        max(killed[large].ready + killed[small].ready),
        READY_GOAL_S,
        "less",
        "s",
    )
    rows = [
        [
            f"{size:,} documents, {name}",
            f"{middle(starts[size].ready) * 1000:.0f}",
            f"{middle(starts[size].first) * 1000:.0f}",
        ]
        for size in (small, large)
        for name, starts in (("clean", clean), ("after kill -9", killed))
    ]
    rows.append([f"SELECT * of {large:,} documents", f"{middle(select) * 1000:.0f}", ""])
    result.table(["median ms", "to ready", "to the first answer after it"], rows)
    result.show()


if __name__ == "__main__":
    main()
