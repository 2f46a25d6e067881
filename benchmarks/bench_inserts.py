"""100,000 mutations that insert one document each, by 64 clients: time, and what the server keeps of them in memory.

The clients are closed loops over HTTP. Memory is PSS of all processes of the server, before the first mutation and after the
last, each when the server has been quiet for a while, so that the checkpoint is written.

    python benchmarks/bench_inserts.py [--documents 100000] [--quick] [--json]
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from harness.http_load import closed_loop, post_request
from harness.processes import Meter, pss_bytes, settle, tree
from harness.report import Report, parser, progress
from harness.servers import BENCHMARKS, Server

CLIENTS = 64
MIB = 1024 * 1024


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--documents", type=int, default=100_000)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.documents = min(chosen.documents, 1000)
    quiet_s = 0.5 if chosen.quick else 4.0
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "deployment") as server:
        server.push(BENCHMARKS / "apps" / "transfer")
        server.call("mutation", "accounts:seed_range", start=-1, count=1, initial=0)
        settle(server.pid, quiet_s=quiet_s)
        before = pss_bytes(tree(server.pid))
        progress(f"{chosen.documents} inserts")
        calls = (
            {"path": "accounts:seed_range", "args": {"start": number, "count": 1, "initial": 0}}
            for number in range(chosen.documents)
        )
        requests = (post_request("/api/mutation", json.dumps(call).encode()) for call in calls)
        meter = Meter(server.pid)
        load = closed_loop(server.port, requests, CLIENTS, float("inf"))
        cpu_s = meter.cpu_s()
        if load.failures or len(load.latencies_ms) != chosen.documents:
            raise SystemExit(f"{load.failures} inserts failed")
        progress("waiting until it is quiet")
        settle(server.pid, quiet_s=quiet_s)
        after = pss_bytes(tree(server.pid))
    grown = after - before
    result = Report(f"{chosen.documents:,} single inserts by {CLIENTS} clients", chosen)
    result.ratio("time", load.seconds, 12.0, "less", "s")
    result.ratio("memory after - before (PSS)", grown / MIB, 150.0, "less", "MiB")
    result.ratio("bytes in memory for each document", grown / chosen.documents, None, "less", "B")
    rows = [[
        "inserts", f"{load.tps:,.0f}", f"{load.p50_ms:.1f}", f"{load.p99_ms:.1f}", f"{cpu_s / chosen.documents * 1e6:.0f}",
        f"{before / MIB:.0f}", f"{after / MIB:.0f}",
    ]]  # fmt: skip
    result.table(["", "inserts/s", "p50 ms", "p99 ms", "CPU µs each", "MiB before", "MiB after"], rows)
    result.show()


if __name__ == "__main__":
    main()
