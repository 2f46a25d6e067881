"""WebSocket frames that leave without a task.

A Transition for a thousand sockets would wake a thousand tasks, each for one write. Through an ASGI extension the
application writes a whole frame in the same turn of the loop, as long as the client keeps up; else it queues as usual.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from convexpy.http.socket import WRITE_FRAME
from convexpy.serve.bounded_protocol import ConnectionCounter


class DirectSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with `scope["extensions"]["convexpy.write_frame"]`."""

    def __init__(self, *arguments: Any, counter: ConnectionCounter, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._counter = counter

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place in the count that the HTTP request took (called by asyncio)."""
        self._counter.closed(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def handle_connect(self, event: Any) -> None:
        """Offer the extension (called by uvicorn; the application starts after this returns)."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][WRITE_FRAME] = self.write_frame

    def write_frame(self, frame: bytes) -> bool:
        """Write one frame of the server; False if it can't leave now, because the client is slow or gone."""
        usable = self.handshake_complete and not self.close_sent and not self.disconnected
        if not usable or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True
