"""Responses leave in one write: over a real uvicorn server whose transports note what is written."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from convexpy.serve.one_write import JOINED_BYTES_MAX, OneWriteProtocol


class NotingProtocol(OneWriteProtocol):
    """Notes the pieces that reach the real transport."""

    pieces: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        joining: Any = self.transport
        real, pieces = joining.transport, self.pieces

        class Noting:
            def write(self, data: bytes) -> None:
                pieces.append(data)
                real.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

        joining.transport = Noting()


async def app(scope: Any, receive: Any, send: Any) -> None:
    size = int(scope["path"][1:])
    await receive()
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * size})


async def exchange(request: bytes, answer_ends: bytes) -> tuple[bytes, list[bytes]]:
    """Return the answer to one request, and the pieces in which it was written."""
    pieces: list[bytes] = []
    kind = type("Kind", (NotingProtocol,), {"pieces": pieces})
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=kind, lifespan="off", log_config=None, server_header=False, date_header=False
    )
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(answer_ends)
    writer.close()
    await writer.wait_closed()
    server.should_exit = True
    await server.shutdown(sockets=[listening])
    return answer, pieces


@pytest.mark.parametrize("size", [1, 1000, JOINED_BYTES_MAX])
def test_head_and_body_are_one_piece(size: int) -> None:
    answer, pieces = asyncio.run(exchange(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % size, b"\n" + b"x" * size))
    assert pieces == [answer]


def test_a_large_body_is_not_copied() -> None:
    size = JOINED_BYTES_MAX + 1
    _, pieces = asyncio.run(exchange(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % size, b"\n" + b"x" * size))
    assert [len(piece) for piece in pieces[1:]] == [size]


def test_a_head_without_a_body_leaves_too() -> None:
    answer, pieces = asyncio.run(exchange(b"HEAD /5 HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert pieces == [answer]


def test_a_connection_that_closes_gets_its_answer() -> None:
    request = b"GET /3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer, _ = asyncio.run(exchange(request, b"xxx"))
    assert b"connection: close" in answer


def test_continue_does_not_wait() -> None:
    request = b"POST /2 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n"
    answer, _ = asyncio.run(exchange(request, b"\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 100")
