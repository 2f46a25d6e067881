"""Ports for what has to be told some, rather than asking for a free one."""

from __future__ import annotations

import os
import random
import socket

_chosen = random.Random(os.getpid())


def free_ports(count: int) -> str:
    """Return a range of ports of which none is in use now, as `FIRST-LAST`; other processes begin elsewhere."""
    while True:
        first = _chosen.randrange(20_000, 32_000 - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return f"{first}-{first + count - 1}"


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
