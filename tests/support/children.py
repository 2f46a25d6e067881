"""The processes below a server, by what they do."""

from __future__ import annotations

import os
from pathlib import Path


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


def fork_server(server_pid: int) -> int:
    """Return the fork server of a running server: the newest, while an older one ends."""
    return [
        pid for pid in children(server_pid) if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ][-1]


def version_process(server_pid: int) -> int:
    """Return the newest process that holds a version of the app."""
    return children(fork_server(server_pid))[-1]


def executors(server_pid: int) -> list[int]:
    """Return the executors of the newest version."""
    return children(version_process(server_pid))


def is_alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
