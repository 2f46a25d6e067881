"""Random bytes that nobody can predict: from the operating system, in large blocks.

One system call per id would cost more than the rest of an insert's bookkeeping; a block of 4 KiB serves some 290 ids.
A forked process starts with a block of its own, or parent and child would give out the same bytes.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

BLOCK_BYTES = 4096


class RandomBytes(Protocol):
    """A source of random bytes; tests give a `random.Random` with a seed."""

    def randbytes(self, n: int, /) -> bytes:
        """Return `n` bytes."""
        ...


class SecureRandom:
    """The operating system's generator."""

    __slots__ = ("__weakref__", "_block", "_next")

    def __init__(self) -> None:
        self._block = b""
        self._next = 0
        _sources.add(self)

    def randbytes(self, n: int, /) -> bytes:
        """Return `n` bytes."""
        start = self._next
        end = start + n
        if end > len(self._block):
            self._block = os.urandom(max(n, BLOCK_BYTES))
            start, end = 0, n
        self._next = end
        return self._block[start:end]

    def forget(self) -> None:
        """Drop what is left of the block."""
        self._block, self._next = b"", 0


_sources: weakref.WeakSet[SecureRandom] = weakref.WeakSet()


def _forget_blocks() -> None:
    for source in _sources:
        source.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_blocks)

secure_random: SecureRandom = SecureRandom()
"""The source of this process."""
