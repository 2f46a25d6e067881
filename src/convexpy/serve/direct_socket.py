"""WebSocket frames that come and leave without a task, and messages above the limit that end nothing but their call.

A Transition for a thousand sockets would wake a thousand tasks, each for one write. Through an ASGI extension the
application writes a whole frame in the same turn of the loop, as long as the client keeps up; else it queues as usual.
Through another it takes a message in the turn in which it arrives, as long as none waits before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from convexpy.http.socket import ON_MESSAGE, OVERSIZE, WRITE_FRAME
from convexpy.runtime.light_event import LightEvent
from convexpy.serve.bounded_protocol import ConnectionCounter
from convexpy.serve.gate import Gate
from convexpy.serve.oversize import FrameFilter, OversizeMessage


class Inbox:
    """What waits for the application: an `asyncio.Queue` for one reader, which takes 3 KB less."""

    __slots__ = ("_event", "_messages")

    def __init__(self) -> None:
        self._event = LightEvent()
        self._messages: list[Any] = []

    def put_nowait(self, message: Any) -> None:
        """Add a message; the protocol stops reading after one."""
        self._messages.append(message)
        self._event.set()

    def empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._messages

    async def get(self) -> Any:
        """Return the oldest message."""
        while not self._messages:
            self._event.clear()
            await self._event.wait()
        return self._messages.pop(0)


class DirectSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with `convexpy.write_frame` and `convexpy.on_message` in `scope["extensions"]`."""

    # An object with more than 30 attributes has a dictionary of its own: 1,300 bytes more for each socket. uvicorn has 37.
    __slots__ = (
        "_counter", "_drops_message", "_filter", "_gate", "_on_message", "app_state", "close_timeout", "close_timer",
        "initial_response", "last_ping_rtt", "pending_ping_payload", "ping_interval", "ping_sent_at", "ping_timeout",
        "ping_timer", "pong_timer", "queue", "writable",
    )  # fmt: skip

    frames: list[bytes]

    def __init__(
        self,
        *arguments: Any,
        counter: ConnectionCounter,
        limit: int,
        gate: Gate | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._gate = gate
        self.queue: Any = Inbox()
        self.writable: LightEvent = LightEvent(is_set=True)
        self._counter = counter
        self._filter = FrameFilter(limit, super().data_received, self._take_begun, self._on_oversize)
        self._drops_message = False
        self._on_message: Callable[[str], bool] | None = None

    def shutdown(self) -> None:
        """Do nothing: the application closes its sockets when it has answered them (called by uvicorn at the stop)."""

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client: first the handshake, then frames (called by asyncio)."""
        if self._gate is not None and not self._gate.passes(self, data):
            return
        if self._on_message is not None and not self.read_paused and not self.close_sent:
            text = self._filter.whole_text(data)
            if text is not None and self._on_message(text):
                return
        if self.handshake_initiated:
            self._filter.feed(data)
        else:
            super().data_received(data)

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read: then answers would pile up (called by uvicorn)."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the application, unless it is the beginning of one that is too large (called by uvicorn)."""
        if self._drops_message:
            self._drops_message, self.frames = False, []
        else:
            super().send_receive_event_to_app()

    def _take_begun(self) -> bytes:
        self._drops_message = True
        return b"".join(self.frames)

    def _on_oversize(self, message: OversizeMessage) -> None:
        if self.close_sent or self.disconnected:
            return
        event: Any = {"type": "websocket.receive", OVERSIZE: tuple(message)}
        self.queue.put_nowait(event)
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place in the count that the HTTP request took (called by asyncio)."""
        self._counter.closed(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def handle_connect(self, event: Any) -> None:
        """Offer the extensions (called by uvicorn; the application starts after this returns)."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][WRITE_FRAME] = self.write_frame
            scope["extensions"][ON_MESSAGE] = self.on_message

    def on_message(self, take: Callable[[str], bool]) -> None:
        """Have `take` called with each message that comes whole, when none waits; if it returns False, the message waits."""
        self._on_message = take
        # The application has accepted: nobody asks for the handshake any more. A generator of the library holds the request.
        self.request.headers.clear()
        self.scope["headers"] = []
        del self.request, self.response

    def write_frame(self, frame: bytes) -> bool:
        """Write one frame of the server; False if it cannot leave now, because the client is slow or gone."""
        usable = self.handshake_complete and not self.close_sent and not self.disconnected
        if not usable or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True
