"""A server that begins again in its own process: its program, on the sockets that listen already, with nothing else kept.

So a node that may answer nobody any more is of use again without a service manager, and no connection to it is refused
meanwhile. All that an earlier run has in memory is gone, as after an exit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

SOCKETS = "CONVEXPY_LISTENING_SOCKETS"
"""Descriptors of the listening sockets of an earlier run."""
PUSH_FLAG = "--push-fd"


def inherited() -> list[socket.socket]:
    """Return the listening sockets of an earlier run in this process; none at the first start."""
    sockets = [socket.socket(fileno=int(number)) for number in os.environ.pop(SOCKETS, "").split()]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets


def begin_again(sockets: Sequence[socket.socket]) -> NoReturn:
    """Replace this program by a new run of it. What it was given to push at its start is not pushed again."""
    _end_children()
    for sock in sockets:
        sock.set_inheritable(True)
    os.environ[SOCKETS] = " ".join(str(sock.fileno()) for sock in sockets)
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith(f"{PUSH_FLAG}=")]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "convexpy.serve", *arguments])


def _end_children() -> None:
    """End the processes of the app; theirs end with them. Where the system has no list of them, they end by themselves."""
    pids = [
        int(pid)
        for children in Path("/proc/self/task").glob("*/children")
        for pid in children.read_text().split()
    ]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
