"""What an idle `convexpy dev` costs: memory of all its processes, and how often it wakes the machine.

The chat scaffold is served, pushed, and called once, then left alone. Memory is PSS (pages that processes share are
divided among them), against that of one bare Python interpreter; wake-ups are voluntary context switches of all threads.

    python benchmarks/bench_idle.py [--seconds 20] [--quick] [--json]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.http_load import Caller, post_request
from harness.processes import Meter, name_of, pss_bytes, settle, tree, wake_ups
from harness.projects import Dev, cli
from harness.report import Report, parser, progress

MIB = 1024 * 1024
GOAL_MIB = 90.0
GOAL_WAKES = 10.0


def bare_interpreter() -> int:
    """Return the PSS of a Python process that has imported nothing."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None  # piped
        process.stdout.readline()
        size = pss_bytes([process.pid])
        process.communicate()
    return size


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=20.0, help="of counting wake-ups")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.seconds = 1.0
    with tempfile.TemporaryDirectory() as name:
        project = Path(name).resolve() / "chat"
        cli("init", str(project), "--template", "chat", "--yes", cwd=project.parent)
        with Dev(project) as dev:
            caller = Caller(dev.port)
            args = b'{"path":"messages:send","args":{"channel":"general","author":"Ada","body":"hello"}}'
            assert b'"success"' in caller.call(post_request("/api/mutation", args))
            caller.close()
            progress("waiting until it is quiet")
            settle(dev.pid, quiet_s=1.0 if chosen.quick else 5.0)
            pids = tree(dev.pid)
            meter, before = Meter(dev.pid), {pid: wake_ups([pid]) for pid in pids}
            began = time.monotonic()
            time.sleep(chosen.seconds)
            seconds = time.monotonic() - began
            wakes = {pid: (wake_ups([pid]) - count) / seconds for pid, count in before.items()}
            cpu_share = meter.cpu_s() / seconds
            sizes = {pid: pss_bytes([pid]) for pid in pids}
            names = {pid: name_of(pid) for pid in pids}
            bare = bare_interpreter()
    total = sum(sizes.values())
    result = Report("An idle `convexpy dev` with the chat scaffold", chosen)
    result.ratio("memory of all processes (PSS)", total / MIB, GOAL_MIB, "less", "MiB")
    result.ratio("the same / a bare Python interpreter", total / bare)
    result.ratio("wake-ups of all threads", sum(wakes.values()), GOAL_WAKES, "less", "/s")
    result.ratio("CPU of all processes", cpu_share * 100, None, "less", "%")
    rows = [[names[pid], f"{sizes[pid] / MIB:.1f}", f"{wakes[pid]:.2f}"] for pid in pids]
    result.table(["process", "PSS MiB", "wake-ups/s"], rows)
    result.show()


if __name__ == "__main__":
    main()
