"""What clients send waits while this node may not be the one that serves.

A node that stood still does not know that another one has taken over meanwhile: it would answer queries as of before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

LOOK_EVERY_S = 0.05
HELD_MAX_S = 30.0


class Connection(Protocol):
    """A protocol of asyncio with its transport."""

    loop: asyncio.AbstractEventLoop
    transport: Any

    def data_received(self, data: bytes) -> None:
        """Take bytes (called by asyncio)."""
        ...


class Gate:
    """Open while `is_open` says so."""

    def __init__(self, is_open: Callable[[], bool]) -> None:
        self._is_open = is_open
        self._held: dict[Connection, list[bytes]] = {}

    def passes(self, connection: Connection, data: bytes) -> bool:
        """Say whether the bytes may be taken; if not, the connection is given them later, or is cut."""
        held = self._held.get(connection)
        if held is not None:
            held.append(data)
            return False
        if self._is_open():
            return True
        self._held[connection] = [data]
        connection.transport.pause_reading()
        self._wait(connection, connection.loop.time() + HELD_MAX_S)
        return False

    def _wait(self, connection: Connection, until: float) -> None:
        connection.loop.call_later(LOOK_EVERY_S, self._look, connection, until)

    def _look(self, connection: Connection, until: float) -> None:
        is_over = connection.transport.is_closing() or connection.loop.time() > until
        if not is_over and not self._is_open():
            self._wait(connection, until)
            return
        data = b"".join(self._held.pop(connection))
        if is_over:
            connection.transport.abort()
        else:
            connection.transport.resume_reading()
            connection.data_received(data)
