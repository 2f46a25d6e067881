"""One mutation, a thousand subscribers: how long until all of them have it?

Against a node `ws` server that broadcasts as many bytes to as many sockets (`peers/broadcast.mjs`), which computes
nothing and stores nothing; both are listened to by the same client, in turn. The convexpy side is a whole mutation:
committed, synced, the query run again, a Transition built for each socket. First all sockets subscribe to the same query,
with a small and a larger result; then each to a query of its own, which reads one changed document and one document that
nobody else reads. Last, what an idle socket and an idle subscription add to the memory of all processes (PSS).

    python benchmarks/bench_fan_out.py [--sockets 1000] [--mutations 40] [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from pathlib import Path

from harness.http_load import quantile
from harness.processes import Meter, pss_bytes, settle, tree
from harness.report import Report, parser, progress
from harness.servers import (
    BENCHMARKS,
    PEER_MISSING,
    Peer,
    Server,
    alone,
    peer_or_none,
    raise_file_limit,
)
from harness.sockets import SYNC_PATH, Crowd, WebSocket, add_queries, hello, mutation

SMALL, LARGE = 200, 10_000
KIB = 1024
WARM_UP = 3
IDLE_QUERIES = 20_000
MEMBERS_WITH_QUERIES = 20


class Fan:
    """Sockets that listen, and one that makes something happen."""

    def __init__(self, label: str, root: int, crowd: Crowd) -> None:
        self.label = label
        self.root = root
        self.crowd = crowd
        self.seconds: list[float] = []
        self.cpu_s = 0.0
        self.bytes = 0

    def fire(self, speaker: WebSocket, message: bytes, *, count: bool) -> None:
        """Send one message; note when the last of the crowd has its own."""
        meter = Meter(self.root)
        last, _, self.bytes = self.crowd.until_each_has(1, trigger=lambda: speaker.send(message))
        if count:
            self.seconds.append(last)
            self.cpu_s += meter.cpu_s()

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the time until the last socket had its message."""
        return quantile(sorted(self.seconds), share) * 1000

    def row(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.label, f"{self.bytes:,}", f"{self.quantile_ms(0.5):.1f}", f"{self.quantile_ms(0.95):.1f}",
            f"{self.cpu_s / len(self.seconds) * 1000:.1f}",
        ]  # fmt: skip


class Speaker:
    """The socket whose mutations change the topic."""

    def __init__(self, server: Server) -> None:
        self.socket = WebSocket(server.port, SYNC_PATH)
        self.socket.send(hello())
        self._numbers = itertools.count()

    def change(self, size: int) -> bytes:
        """Return the next mutation."""
        number = next(self._numbers)
        return mutation(number, "topics:change", {"name": "all", "round": number, "size": size})


def subscribed(server: Server, sockets: int, *, own: bool) -> Crowd:
    """Return sockets that have the result of their query."""
    crowd = Crowd(server.port, SYNC_PATH, sockets)
    for number, member in enumerate(crowd.members):
        member.send(hello())
        path = "topics:watch_with_note" if own else "topics:watch"
        args = {"name": "all", "owner": number} if own else {"name": "all"}
        member.send(add_queries(0, [(0, path, args)]))
    crowd.until_each_has(1)
    return crowd


def run_in_turn(
    server: Server,
    speaker: Speaker,
    peer: Peer | None,
    label: str,
    size: int,
    sockets: int,
    times: int,
    *,
    own: bool,
) -> list[Fan]:
    """Return what the server and the peer needed for as many deliveries of as many bytes."""
    progress(f"{label}: {sockets} sockets, {times} mutations")
    ours = Fan(f"convexpy, {label}", server.pid, subscribed(server, sockets, own=own))
    fans = [ours]
    with contextlib.ExitStack() as stack:
        stack.callback(ours.crowd.close)
        if peer is not None:
            # The peer counts every connection but the one that speaks.
            theirs = Fan(f"node ws broadcast, {label}", peer.pid, Crowd(peer.port, "/", sockets))
            stack.callback(theirs.crowd.close)
            peer_speaker = WebSocket(peer.port, "/")
            stack.callback(peer_speaker.socket.close)
            fans.append(theirs)
        for number in range(times + WARM_UP):
            with alone(peer):
                ours.fire(speaker.socket, speaker.change(size), count=number >= WARM_UP)
                speaker.socket.receive()
            if peer is not None:
                with alone(server):
                    theirs.fire(peer_speaker, b"send %d" % ours.bytes, count=number >= WARM_UP)
    return fans


def memory(server: Server, sockets: int, queries: int) -> tuple[float, float]:
    """Return the KiB of an idle socket and of an idle subscription."""
    progress("memory of idle sockets and subscriptions")
    settle(server.pid)
    before = pss_bytes(tree(server.pid))
    crowd = Crowd(server.port, SYNC_PATH, sockets)
    for member in crowd.members:
        member.send(hello())
    settle(server.pid, quiet_s=1.0)
    with_sockets = pss_bytes(tree(server.pid))
    per_member = queries // MEMBERS_WITH_QUERIES
    members = crowd.members[:MEMBERS_WITH_QUERIES]
    for version, first in enumerate(range(0, per_member, 500)):
        for number, member in enumerate(members):
            ids = range(first, min(first + 500, per_member))
            wanted = [
                (id, "topics:watch_with_note", {"name": "none", "owner": 10**6 + number * per_member + id})
                for id in ids
            ]
            member.send(add_queries(version, wanted))
        for member in members:
            member.receive()
    settle(server.pid)
    with_queries = pss_bytes(tree(server.pid))
    crowd.close()
    return (with_sockets - before) / sockets / KIB, (with_queries - with_sockets) / queries / KIB


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--sockets", type=int, default=1000)
    options.add_argument("--mutations", type=int, default=40)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.sockets, chosen.mutations = min(chosen.sockets, 30), 3
    raise_file_limit()
    pairs: list[list[Fan]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "deployment") as server,
        peer_or_none("broadcast.mjs", log=Path(folder) / "peer.log") as peer,
    ):
        server.push(BENCHMARKS / "apps" / "fan_out")
        server.call("mutation", "topics:write_notes", count=chosen.sockets)
        per_socket, per_query = memory(server, chosen.sockets, IDLE_QUERIES // (100 if chosen.quick else 1))
        speaker = Speaker(server)
        for label, size, own in (
            ("one query, small", SMALL, False),
            ("one query, large", LARGE, False),
            ("a query each", SMALL, True),
        ):
            pairs.append(
                run_in_turn(server, speaker, peer, label, size, chosen.sockets, chosen.mutations, own=own)
            )
    fill(chosen, pairs, per_socket, per_query)


def fill(chosen: object, pairs: list[list[Fan]], per_socket: float, per_query: float) -> None:
    """Print ratios and table."""
    sockets = chosen.sockets  # type: ignore[attr-defined]  # a namespace
    result = Report(f"One mutation to {sockets:,} sockets, until the last of them has it", chosen)  # type: ignore[arg-type]
    for pair, goal in zip(pairs, (1.2, 1.2, 3.0), strict=True):
        if len(pair) == 1:
            continue
        ours, theirs = pair
        name = ours.label.removeprefix("convexpy, ")
        for quantile_name, share in (("median", 0.5), ("p95", 0.95)):
            ratio = ours.quantile_ms(share) / theirs.quantile_ms(share)
            bound = goal if quantile_name == "p95" else None
            result.ratio(
                f"{quantile_name} vs node ws broadcast of the same bytes, {name}", ratio, bound, "less"
            )
        result.ratio(
            f"CPU vs node ws broadcast of the same bytes, {name}",
            ours.cpu_s / max(theirs.cpu_s, 0.001),
            None,
            "less",
        )
    same, own = pairs[0][0], pairs[2][0]
    result.ratio(
        "median, a query each / one query for all", own.quantile_ms(0.5) / same.quantile_ms(0.5), 3.0, "less"
    )
    result.ratio("memory of an idle socket", per_socket, None, "less", "KiB")
    result.ratio("memory of an idle subscription", per_query, None, "less", "KiB")
    result.table(
        ["case", "bytes each", "p50 ms", "p95 ms", "CPU ms each"],
        [fan.row() for pair in pairs for fan in pair],
    )
    if len(pairs[0]) == 1:
        result.note(PEER_MISSING)
    result.show()


if __name__ == "__main__":
    main()
