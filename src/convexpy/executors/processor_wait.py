"""How long a process has been ready to run while others had the processors, as Linux counts it per thread.

A call's wall limit is for what it sleeps or waits for. Time that a busy machine takes from it is not counted: otherwise a
function that computes would reach its wall limit before its limit of CPU time.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class ProcessorWait(NamedTuple):
    """`waited_ns` is the sum for all threads, without a wait that has not ended; `ready`: a thread runs, or could run, now."""

    waited_ns: int
    ready: bool


def processor_wait(pid: int) -> ProcessorWait | None:
    """Return how long a process has waited for a processor; None where the system does not tell."""
    waited_ns, ready = 0, False
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            waited_ns += int((thread / "schedstat").read_bytes().split()[1])
            ready = ready or (thread / "stat").read_bytes().rpartition(b") ")[2].startswith(b"R")
    except (OSError, ValueError, IndexError):
        return None
    return ProcessorWait(waited_ns, ready)
