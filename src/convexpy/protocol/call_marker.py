"""The call marker: a few bytes of shared memory in which an executor says which call it is running, and since when.

Replies leave an executor in batches and die with it, so "the first call without an answer" would accuse the wrong one;
the marker is written before each call and needs no system call.

Format, in the machine's own byte order: u64 call id (0: none), u64 monotonic nanoseconds at its start, u64 CPU nanoseconds of
the process at its start. The id is written last and looked at before and after the clocks, each in one piece: a reader must
never see a call with clocks that are not its own, for it kills what seems to run too long.

An executor for actions runs many calls and uses two more fields: u64 monotonic nanoseconds at the last turn of its event
loop, and u64 the highest call id that the server has revoked: such a call is not begun, however late it is looked at.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from dataclasses import dataclass

_CALL, _MONOTONIC, _CPU, _BEAT, _REVOKED = range(5)
SIZE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Running:
    """What the marker says: the call and the clocks at its start, in nanoseconds."""

    call: int
    monotonic_ns: int
    cpu_ns: int


def create() -> int:
    """Return a descriptor of fresh shared memory for one call marker."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("convexpy-call")
    else:
        descriptor, path = tempfile.mkstemp(prefix="convexpy-call-")
        os.unlink(path)  # noqa: PTH108 - a descriptor without a name
    os.ftruncate(descriptor, SIZE_BYTES)
    return descriptor


class CallMarker:
    """One mapping of the shared memory behind `descriptor`; the descriptor may be closed afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, SIZE_BYTES)
        self._fields = memoryview(self._map).cast("Q")

    def begin(self, call: int) -> None:
        """Say that `call` starts now. Ids are never used twice, and `end` comes before the next."""
        fields = self._fields
        fields[_MONOTONIC] = time.monotonic_ns()
        fields[_CPU] = time.process_time_ns()
        fields[_CALL] = call

    def end(self) -> None:
        """Say that nothing is running."""
        self._fields[_CALL] = 0

    def read(self) -> Running | None:
        """Return what is running, or None; None too if it has just changed."""
        fields = self._fields
        call = fields[_CALL]
        running = Running(call, fields[_MONOTONIC], fields[_CPU])
        return running if call and fields[_CALL] == call else None

    def beat(self) -> None:
        """Say that the event loop turns."""
        self._fields[_BEAT] = time.monotonic_ns()

    def last_beat(self) -> int:
        """Return when the event loop turned last."""
        return self._fields[_BEAT]

    def revoke(self, call: int) -> None:
        """Revoke every call up to this id that has not begun."""
        self._fields[_REVOKED] = call

    def is_revoked(self, call: int) -> bool:
        """Say whether a call must not begin."""
        return call <= self._fields[_REVOKED]

    def close(self) -> None:
        """Unmap."""
        self._fields.release()
        self._map.close()
