"""HTTP responses that leave in one write.

uvicorn writes the head of a response when it starts and the body when it ends: two system calls, two packets, and two
wake-ups of the client for an answer of a hundred bytes. All responses here are whole when they start, so the head waits
for what follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = b"HTTP/1.1 "
CONTINUE = b"HTTP/1.1 100"
JOINED_BYTES_MAX = 64 * 1024
"""A larger body is written by itself: copying it costs more than a system call."""


class JoiningTransport:
    """A transport that holds the head of a response until the next write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._held = b""
        self.lingers: Callable[[], bool] = lambda: False
        """Whether closing must wait: the client still sends, and would lose the response to a reset connection."""
        self.is_closing: Callable[[], bool] = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, or hold the head of a response."""
        held = self._held
        if held:
            self._held = b""
            if len(data) <= JOINED_BYTES_MAX:
                self.transport.write(held + data)
                return
            self.transport.write(held)
        elif data.startswith(HEAD) and not data.startswith(CONTINUE):
            self._held = data
            return
        self.transport.write(data)

    def flush(self) -> None:
        """Write what is held: the response has no body."""
        held, self._held = self._held, b""
        if held:
            self.transport.write(held)

    def close(self) -> None:
        """Close after what is held, unless the protocol closes later."""
        self.flush()
        if not self.lingers():
            self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol over such a transport; a WebSocket gets the transport as it is."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wrap the transport (called by asyncio)."""
        self.raw: asyncio.Transport = cast("asyncio.Transport", transport)
        """The transport itself, for what is one piece."""
        joining = JoiningTransport(self.raw)
        super().connection_made(cast("asyncio.Transport", joining))

    def on_response_complete(self) -> None:
        """Write a head that had no body (called by uvicorn when a response ends)."""
        cast("JoiningTransport", self.transport).flush()
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over (called by uvicorn)."""
        self.transport = cast("JoiningTransport", self.transport).transport
        super().handle_websocket_upgrade()
        del self.parser  # refers to this object, which would stay until a collection
