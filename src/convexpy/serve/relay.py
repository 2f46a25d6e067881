"""What a node does while another one serves: it passes connections on as they are, bytes in both directions.

So any node takes any call, sockets and streams included, and TLS is left to the other node. A connection that comes while no
node serves waits for one, which takes about a second after one has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

Place = tuple[str, int]
"""Host and port."""
WAIT_S = 30.0
CONNECT_S = 3.0
AGAIN_S = 0.1
_BODY = b'{"code": "NoNodeServes", "message": "no node of this deployment serves at present; try again"}'
NOBODY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class _End(asyncio.Protocol):
    """One end of a connection that is passed on: what comes here leaves at the `other` one."""

    def __init__(self, other: _End | None = None) -> None:
        self.transport: Any = None
        self.has_ended: bool = False
        self.other = other
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; what comes leaves at once (called by asyncio)."""
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def join(self, other: _End) -> None:
        """Pass on to another end from now on, in both directions."""
        self.other, other.other = other, self
        for data in self._early:
            other.transport.write(data)
        if self.has_ended:
            self._end_other(other)
        self._early.clear()
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on (called by asyncio)."""
        if self.other is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of one direction on; the other one goes on until it ends, too (called by asyncio)."""
        self.has_ended = True
        if self.other is not None:
            self._end_other(self.other)
        return True

    def _end_other(self, other: _End) -> None:
        if other.has_ended or not other.transport.can_write_eof():
            other.transport.close()
            self.transport.close()
        else:
            other.transport.write_eof()

    def pause_writing(self) -> None:
        """Read no more than this end takes (called by asyncio)."""
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on (called by asyncio)."""
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end as this one was closed (called by asyncio)."""
        self.has_ended = True
        if self.other is not None:
            self.other.transport.abort() if exc is not None else self.other.transport.close()


class _Incoming(_End):
    """The end of a client."""

    def __init__(self, relay: Relay, number: int) -> None:
        super().__init__()
        self._relay = relay
        self._number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the node that serves (called by asyncio)."""
        super().connection_made(transport)
        self.transport.pause_reading()
        self._relay.connect(self, self._number)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `_End` (called by asyncio)."""
        super().connection_lost(exc)
        self._relay.gone(self)


class Relay:
    """Passes on what comes to these listening sockets; they stay open when it stops."""

    def __init__(self, sockets: Sequence[socket.socket], *, speaks_tls: bool) -> None:
        self._sockets = sockets
        self._speaks_tls = speaks_tls
        self._servers: list[asyncio.Server] = []
        self._places: Sequence[Place] = ()
        self._passing: set[_End] = set()
        self._connecting: dict[_End, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        for number, sock in enumerate(self._sockets):
            server = await loop.create_server(partial(_Incoming, self, number), sock=sock.dup())
            self._servers.append(server)

    def pass_on_to(self, places: Sequence[Place]) -> None:
        """Connect to these from now on, one for each socket; connections to others are cut. Without any, they wait."""
        if list(places) != list(self._places):
            self._places = places
            for end in list(self._passing):
                end.transport.abort()

    def stop_accepting(self) -> None:
        """Leave new connections to whoever serves the sockets next; those that wait are still passed on."""
        for server in self._servers:
            server.close()

    def close(self) -> None:
        """Stop, and cut what is passed on."""
        self.stop_accepting()
        self.pass_on_to(())

    def connect(self, end: _End, number: int) -> None:
        """Pass a client on, to the node that serves by then."""
        self._connecting[end] = asyncio.ensure_future(self._connect(end, number))

    def gone(self, end: _End) -> None:
        """Forget a client."""
        self._passing.discard(end)
        connecting = self._connecting.pop(end, None)
        if connecting is not None:
            connecting.cancel()

    async def _connect(self, end: _End, number: int) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                there = await self._connected(number)
        except TimeoutError:
            if not self._speaks_tls:
                end.transport.write(NOBODY)
            end.transport.close()
            return
        self._connecting.pop(end, None)
        if end.transport.is_closing():
            there.transport.abort()
            return
        self._passing.add(end)
        end.join(there)

    async def _connected(self, number: int) -> _End:
        """Connect to the node that serves, as soon as there is one that answers."""
        loop = asyncio.get_running_loop()
        while True:
            places = self._places
            if number < len(places):
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(CONNECT_S):
                        _, there = await loop.create_connection(_End, *places[number])
                    if places == self._places:
                        return there
                    there.transport.abort()  # another node serves now
            await asyncio.sleep(AGAIN_S)
