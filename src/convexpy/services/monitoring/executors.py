"""The processes that run functions, as metrics and the health report show them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from convexpy.engine.versions import LiveVersion
from convexpy.protocol.admin_api import ExecutorReport


class _Dispatcher(Protocol):
    """What is read of the dispatchers."""

    executors_lost: int

    @property
    def pids(self) -> list[int]: ...


def executors_of(live: LiveVersion) -> tuple[ExecutorReport, ...]:
    """Return what runs for each role."""
    dispatchers: dict[str, _Dispatcher] = {
        "mutations": live.mutations,
        "slow mutations": live.slow_mutations,
        "queries": live.queries,
        "actions": live.actions,
    }
    return tuple(
        ExecutorReport(
            role=role,
            running=len(dispatcher.pids),
            lost=dispatcher.executors_lost,
            memory_bytes=sum(map(_resident_bytes, dispatcher.pids)),
        )
        for role, dispatcher in dispatchers.items()
    )


def _resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
