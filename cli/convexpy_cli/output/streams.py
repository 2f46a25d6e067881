"""Standard streams that are missing: a command that was started with one of them closed runs as with /dev/null."""

from __future__ import annotations

import os
import select
import sys


def open_missing() -> None:
    """Open /dev/null in place of each standard stream that is closed.

    Python has None for such a stream, and the system gives its number to the next file that is opened: a database or a
    socket would become the stdin of a child.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
        if opened != number:
            os.dup2(opened, number, inheritable=True)
            os.close(opened)
        os.set_inheritable(number, True)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


def reader_has_gone() -> bool:
    """Return whether the reader of stdout has seen enough; what is still to be written then goes nowhere.

    A pipe may break elsewhere, too: a connection, a child's stdin.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        if not any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0)):
            return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
