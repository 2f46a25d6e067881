"""The word: a few bytes of shared memory in which an executor says which call it is running, and since when.

Replies leave an executor in batches and die with it, so "the first call without an answer" would accuse the wrong one;
the word is written before each call and needs no system call.

Format: little-endian u64 call id (0: none), u64 monotonic nanoseconds at its start, u64 CPU nanoseconds of the process
at its start.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time
from dataclasses import dataclass

_WORD = struct.Struct("<QQQ")
SIZE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Running:
    """What the word says: the call and the clocks at its start, in nanoseconds."""

    call: int
    monotonic_ns: int
    cpu_ns: int


def create() -> int:
    """Return a descriptor of fresh shared memory for one word."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("convexpy-word")
    else:
        descriptor, path = tempfile.mkstemp(prefix="convexpy-word-")
        os.unlink(path)  # noqa: PTH108 - a descriptor without a name
    os.ftruncate(descriptor, SIZE_BYTES)
    return descriptor


class Word:
    """One mapping of the shared memory behind `descriptor`; the descriptor may be closed afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, SIZE_BYTES)

    def begin(self, call: int) -> None:
        """Say that `call` starts now."""
        _WORD.pack_into(self._map, 0, call, time.monotonic_ns(), time.process_time_ns())

    def end(self) -> None:
        """Say that nothing is running."""
        _WORD.pack_into(self._map, 0, 0, 0, 0)

    def read(self) -> Running | None:
        """Return what is running, or None."""
        call, monotonic_ns, cpu_ns = _WORD.unpack_from(self._map, 0)
        return Running(call, monotonic_ns, cpu_ns) if call else None

    def close(self) -> None:
        """Unmap."""
        self._map.close()
