"""What a tree of processes costs, from /proc: CPU, memory, wake-ups. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold anything.
    return text[text.rindex(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """Return the process and all its descendants."""
    children: dict[int, list[int]] = {}
    for name in (path.name for path in Path("/proc").iterdir()):
        if name.isdigit() and (fields := _stat(int(name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Return user and system seconds of these processes and of their children that have ended."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields is not None:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the proportional set size: shared pages are divided among those that share them."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def wake_ups(pids: Iterable[int]) -> int:
    """Return how often the threads of these processes went to sleep of their own will, since they began."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                for line in task.read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches"):
                        total += int(line.split()[1])
    return total


def name_of(pid: int) -> str:
    """Return a process's command line, shortened."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    return " ".join(os.path.basename(word) if word.startswith("/") else word for word in words if word)[:60]  # noqa: PTH119


class Meter:
    """CPU seconds of a process tree since the meter was made."""

    def __init__(self, root: int) -> None:
        self._pids = tree(root)
        self._before = cpu_s(self._pids)

    def cpu_s(self) -> float:
        """Return the CPU seconds spent since."""
        return cpu_s(self._pids) - self._before


def thread_cpu_s(pids: Iterable[int]) -> dict[tuple[int, int, str], tuple[float, float]]:
    """Return user and system seconds of each thread, by process, thread id and name."""
    found = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                text = (task / "stat").read_text()
                name = text[text.index("(") + 1 : text.rindex(")")]
                fields = text[text.rindex(")") + 2 :].split()
                times = (int(fields[11]) / TICKS_PER_S, int(fields[12]) / TICKS_PER_S)
                found[pid, int(task.name), name] = times
    return found


class Split:
    """User and system seconds of a convexpy server since the split was made, by what its threads and processes do."""

    PARTS = ("event loop", "commit", "checkpoint", "mutation executor", "other")

    def __init__(self, root: int) -> None:
        self._root = root
        self._before = thread_cpu_s(tree(root))

    def cpu_s(self) -> dict[str, tuple[float, float]]:
        """Return `(user, system)` of each part; the executor for mutations is the child that did most."""
        spent = {
            key: tuple(
                now - before for now, before in zip(times, self._before.get(key, (0.0, 0.0)), strict=True)
            )
            for key, times in thread_cpu_s(tree(self._root)).items()
        }
        busiest = max(
            (key for key in spent if key[0] != self._root), key=lambda key: sum(spent[key]), default=None
        )
        found = dict.fromkeys(self.PARTS, (0.0, 0.0))
        for (pid, tid, name), (user, system) in spent.items():
            part = name if pid == self._root and name in found else "other"
            if pid == tid == self._root:
                part = "event loop"
            elif (pid, tid, name) == busiest:
                part = "mutation executor"
            found[part] = (found[part][0] + user, found[part][1] + system)
        return found


@contextlib.contextmanager
def frozen(root: int) -> Iterator[None]:
    """Stop a process tree for a while, so that what it has left to do falls into its own turn, not the peer's."""
    pids = tree(root)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)


def settle(root: int, *, within_s: float = 30.0, quiet_s: float = 2.5) -> None:
    """Wait until a process tree has done nothing to speak of for a while."""
    deadline = time.monotonic() + within_s
    quiet_since = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + quiet_s):
        meter = Meter(root)
        time.sleep(0.25)
        if meter.cpu_s() > 0.02:
            quiet_since = time.monotonic()
