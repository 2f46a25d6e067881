"""The processes below a server, by what they do."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from support.processes import wait_for


def _parents() -> dict[int, int]:
    found: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    return sorted(child for child, parent in _parents().items() if parent == pid)


def _is_fork_server(pid: int) -> bool:
    with contextlib.suppress(OSError):  # it may end meanwhile
        return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _newest(pids: Callable[[], list[int]], what: str) -> int:
    return wait_for(pids, what=what)[-1]


def fork_server(server_pid: int) -> int:
    """Return the fork server of a running server: the newest, while an older one ends."""
    return _newest(lambda: [pid for pid in children(server_pid) if _is_fork_server(pid)], "a fork server")


def version_process(server_pid: int) -> int:
    """Return the newest process that holds a version of the app: its parent is the fork server or a trunk."""

    def found() -> list[int]:
        base, parents = fork_server(server_pid), _parents()
        below = [base]
        for pid in below:
            below += [child for child, parent in parents.items() if parent == pid]
        leaves = set(below) - set(parents.values())
        return sorted({parents[pid] for pid in leaves} - {base, server_pid})

    return _newest(found, "a version process")


def executors(server_pid: int) -> list[int]:
    """Return the executors of the newest version."""
    return children(version_process(server_pid))


def kill(pid: int) -> None:
    """Kill a process at once, if it still runs: one executor may end with another."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
