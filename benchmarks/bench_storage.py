"""Files: upload and download in MB/s, and the peak memory of the server process, for 200 MB and 1 GB.

Against Starlette under uvicorn (`peers/static_files.py`): stock `StaticFiles` for downloads, and for uploads a loop that
writes to a file and syncs it. The convexpy side also computes a SHA-256 of every upload, renames and syncs the folder,
and commits two documents. Same client, same disk, in turn; downloads come from the page cache on both sides. Memory is
the highest resident size since it was last reset (`VmHWM`), before the first transfer.

    python benchmarks/bench_storage.py [--sizes 200,1000] [--rounds 3] [--quick] [--json]
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.report import Report, median_of_ratios, parser, progress
from harness.servers import BENCHMARKS, Process, Server

MB = 1_000_000
BLOCK = os.urandom(MB)
SPEED_GOAL = 0.8
MEMORY_GOAL_MB = 64.0


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of a response, and what came of its body with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            raise SystemExit("the server closed the connection")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"unexpected answer: {data[:300]!r}")
    return head, body


def upload_s(port: int, path: str, blocks: int) -> tuple[float, bytes]:
    """Send a file; return how long it took until it was acknowledged, and the answer's body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: {blocks * MB}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(head.encode())
        for _ in range(blocks):
            connection.sendall(BLOCK)
        _, body = _head(connection)
        return time.perf_counter() - began, body


def download_s(port: int, path: str, blocks: int) -> float:
    """Fetch a file; return how long it took."""
    buffer = bytearray(MB)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = len(_head(connection)[1])
        while got < blocks * MB:
            received = connection.recv_into(buffer)
            if not received:
                raise SystemExit(f"the download broke off after {got} bytes")
            got += received
        return time.perf_counter() - began


def peak_mb(pid: int) -> float:
    """Return the highest resident size since the last reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MB
    raise SystemExit(f"no process {pid}")


def reset_peak(pid: int) -> float:
    """Forget the highest resident size; return the present one."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_mb(pid)


@dataclass
class Side:
    """What was measured of one server."""

    label: str
    pid: int
    upload: dict[int, list[float]] = field(default_factory=dict)
    download: dict[int, list[float]] = field(default_factory=dict)
    grown_mb: dict[int, float] = field(default_factory=dict)

    def note(self, size: int, up_s: float, down_s: float, grown_mb: float) -> None:
        """Add one round."""
        self.upload.setdefault(size, []).append(size / up_s)
        self.download.setdefault(size, []).append(size / down_s)
        self.grown_mb[size] = max(grown_mb, self.grown_mb.get(size, 0.0))

    def row(self, size: int) -> list[str]:
        """Return the row of the table."""
        return [
            f"{self.label}, {size} MB",
            f"{statistics.median(self.upload[size]):,.0f}",
            f"{statistics.median(self.download[size]):,.0f}",
            f"{self.grown_mb[size]:,.1f}",
        ]


def measure(server: Server, peer: Process, folder: Path, sizes: list[int], rounds: int) -> tuple[Side, Side]:
    """Measure both in turn."""
    ours, theirs = Side("convexpy", server.pid), Side("uvicorn and Starlette", peer.pid)
    for size in sizes:
        for turn in range(rounds):
            progress(f"{size} MB, round {turn + 1} of {rounds}")
            before = reset_peak(server.pid)
            path = server.call("mutation", "files:upload_url").removeprefix(server.ready["url"])
            up_s, answer = upload_s(server.port, path, size)
            id = answer.decode().split('"')[3]
            url = server.call("query", "files:url", id=id).removeprefix(server.ready["url"])
            ours.note(size, up_s, download_s(server.port, url, size), peak_mb(server.pid) - before)
            server.call("mutation", "files:delete", id=id)
            (
                server.data / "storage" / url.rpartition("/")[2]
            ).unlink()  # an hour early: the disk may be small
            before = reset_peak(peer.pid)
            up_s, _ = upload_s(peer.port, "/file", size)
            theirs.note(size, up_s, download_s(peer.port, "/file", size), peak_mb(peer.pid) - before)
            (folder / "file").unlink()
    return ours, theirs


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--sizes", default="200,1000", help="in MB")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    sizes = [5] if chosen.quick else [int(size) for size in chosen.sizes.split(",")]
    report = Report("Files: upload, download, memory", chosen)
    with tempfile.TemporaryDirectory(prefix="convexpy-bench-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 3 * max(sizes) * MB:
            raise SystemExit(f"{folder} has too little room")
        (folder / "static").mkdir()
        script = BENCHMARKS / "peers" / "static_files.py"
        with (
            Server(folder / "data") as server,
            Process([sys.executable, str(script), str(folder / "static")], log=folder / "peer.log") as peer,
        ):
            server.push(BENCHMARKS / "apps" / "files")
            ours, theirs = measure(
                server, peer, folder / "static", sizes, 1 if chosen.quick else chosen.rounds
            )
    for size in sizes:
        report.ratio(
            f"upload of {size} MB", median_of_ratios(ours.upload[size], theirs.upload[size]), SPEED_GOAL
        )
        report.ratio(
            f"download of {size} MB", median_of_ratios(ours.download[size], theirs.download[size]), SPEED_GOAL
        )
        report.ratio(f"memory for {size} MB", ours.grown_mb[size], MEMORY_GOAL_MB, "less", "MB")
    rows = [side.row(size) for size in sizes for side in (theirs, ours)]
    report.table(["", "upload MB/s", "download MB/s", "memory above idle MB"], rows)
    report.show()


if __name__ == "__main__":
    main()
