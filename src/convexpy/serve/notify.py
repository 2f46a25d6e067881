"""Telling systemd how far the server is (sd_notify): one datagram to a socket that the environment names."""

from __future__ import annotations

import contextlib
import os
import socket

NOTIFY_VARIABLE = "NOTIFY_SOCKET"


def notify(*lines: str) -> None:
    """Send lines such as `READY=1`; does nothing where no service manager listens."""
    address = os.environ.get(NOTIFY_VARIABLE, "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.sendall("\n".join(lines).encode())
