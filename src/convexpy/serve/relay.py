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

Place = tuple[str, int]
"""Host and port."""
WAIT_S = 30.0
CONNECT_S = 3.0
AGAIN_S = 0.1
CHUNK_BYTES = 65536
_BODY = b'{"code": "NoNodeServes", "message": "no node of this deployment serves at present; try again"}'
NOBODY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Relay:
    """Passes on what comes to these listening sockets; they stay open when it stops."""

    def __init__(self, sockets: Sequence[socket.socket], *, speaks_tls: bool) -> None:
        self._sockets = sockets
        self._speaks_tls = speaks_tls
        self._servers: list[asyncio.Server] = []
        self._places: Sequence[Place] = ()
        self._passing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections."""
        for number, sock in enumerate(self._sockets):
            self._servers.append(await asyncio.start_server(partial(self._take, number), sock=sock.dup()))

    def pass_on_to(self, places: Sequence[Place]) -> None:
        """Connect to these from now on, one for each socket; connections to others are cut. Without any, they wait."""
        if list(places) != list(self._places):
            self._places = places
            for task in self._passing:
                task.cancel()

    def stop_accepting(self) -> None:
        """Leave new connections to whoever serves the sockets next; those that wait are still passed on."""
        for server in self._servers:
            server.close()

    def close(self) -> None:
        """Stop, and cut what is passed on."""
        self.stop_accepting()
        self.pass_on_to(())

    async def _take(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                there_reader, there_writer = await self._connected(number)
        except TimeoutError:
            if not self._speaks_tls:
                writer.write(NOBODY)
            writer.close()
            return
        passing = asyncio.ensure_future(_both_ways((reader, writer), (there_reader, there_writer)))
        self._passing.add(passing)
        try:
            await asyncio.wait({passing})
        finally:
            self._passing.discard(passing)
            if not passing.cancel() and not passing.cancelled():
                passing.exception()  # one end was reset: both are closed now
            for each in (writer, there_writer):
                each.transport.abort()

    async def _connected(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the node that serves, as soon as there is one that answers."""
        while True:
            if number < len(self._places):
                with contextlib.suppress(OSError, TimeoutError):
                    host, port = self._places[number]
                    async with asyncio.timeout(CONNECT_S):
                        return await asyncio.open_connection(host, port)
            await asyncio.sleep(AGAIN_S)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(here: Stream, there: Stream) -> None:
    await asyncio.gather(_one_way(here[0], there[1]), _one_way(there[0], here[1]))
    for _, writer in (here, there):
        writer.close()


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the end, which is passed on, too."""
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
