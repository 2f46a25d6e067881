"""What does an action that waits cost? 200 of them at once, as coroutines and as threads.

The actions sleep in one executor; memory is PSS of all processes of the server, with and without them, in one run.

    python benchmarks/bench_actions.py [--actions 200]
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from harness.processes import pss_bytes, settle, tree
from harness.report import Report, parser, progress
from harness.servers import BENCHMARKS, Server
from harness.sockets import SYNC_PATH, WebSocket, hello

KIB = 1024
DEADLINE_S = 120.0


def until(server: Server, what: str, count: int) -> None:
    """Wait until this was noted so often."""
    deadline = time.monotonic() + DEADLINE_S
    while server.call("query", "naps:count", what=what) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{what!r} was not noted {count} times")
        time.sleep(0.2)


def asleep(server: Server, path: str, count: int, name: str) -> tuple[float, float]:
    """Return the bytes that one of `count` sleeping actions adds, and how long it took until all slept."""
    settle(server.pid)
    before = pss_bytes(tree(server.pid))
    began = time.monotonic()
    client = WebSocket(server.port, SYNC_PATH)
    client.send(hello())
    for number in range(count):
        call = {"type": "Action", "requestId": number, "udfPath": path, "args": [{"round": name}]}
        client.send(json.dumps(call).encode())
    until(server, f"asleep {name}", count)
    seconds = time.monotonic() - began
    added = (pss_bytes(tree(server.pid)) - before) / count
    server.call("mutation", "naps:note", what=f"wake {name}")
    answered = 0
    while answered < count:
        answered += sum(b'"ActionResponse"' in message for message in client.receive())
    client.socket.close()
    return added, seconds


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--actions", type=int, default=200)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.actions = min(chosen.actions, 20)
    rows: list[list[str]] = []
    result = Report(f"{chosen.actions} actions that wait at once", chosen)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        server.push(BENCHMARKS / "apps" / "actions")
        for path in ("naps:nap", "naps:nap_in_thread"):  # the first time loads and grows what stays
            asleep(server, path, 10, f"warm {path}")
        added: dict[str, float] = {}
        for path in ("naps:nap", "naps:nap_in_thread"):
            progress(f"{path}: {chosen.actions}")
            added[path], seconds = asleep(server, path, chosen.actions, path)
            rows.append([path, f"{added[path] / KIB:.1f}", f"{seconds:.2f}"])
    result.ratio("memory of an async action that waits (PSS)", added["naps:nap"] / KIB, None, "less", "KiB")
    result.ratio("a thread / a coroutine", added["naps:nap_in_thread"] / max(added["naps:nap"], 1.0))
    result.table(["action", "KiB each", "s until all wait"], rows)
    result.show()


if __name__ == "__main__":
    main()
