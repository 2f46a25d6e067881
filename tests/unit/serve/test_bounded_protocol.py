"""What an unknown client may make a server keep or wait for: over real connections to a real uvicorn server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from convexpy.http.direct_calls import DirectCalls
from convexpy.http.request_guard import AllowedNames, RequestGuard
from convexpy.http.running import RunningRequests
from convexpy.limits import Knobs
from convexpy.serve import bounded_protocol
from convexpy.serve.bounded_protocol import ConnectionCounter
from convexpy.serve.listening import server_of
from convexpy.sync import ActionShares

WAIT_S = 60.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    body = b"x" * (50_000_000 if scope["path"] == "/large" else 2)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "LOOK_EVERY_S", 0.02)
    for name in ("HTTP_HEAD_WITHIN_S", "HTTP_BODY_STALL_S", "HTTP_RESPONSE_STALL_S"):
        monkeypatch.setattr(bounded_protocol, name, 0.3)


@contextlib.asynccontextmanager
async def serving(
    *, direct: DirectCalls | None = None, **knobs: Any
) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Yield a function that connects."""
    listening = socket.create_server(("127.0.0.1", 0))
    given = Knobs(**knobs)
    server = server_of(app, given, ConnectionCounter(given.connections_per_address), direct=direct)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writers.append(writer)
        return reader, writer

    connect.server = server  # type: ignore[attr-defined]
    try:
        yield connect
    finally:
        for writer in writers:
            writer.transport.abort()
        server.should_exit = server.force_exit = True
        await server.shutdown(sockets=[listening])


def answer_to(*pieces: bytes, each_s: float = 0.0, again: bytes = b"", **knobs: Any) -> bytes:
    """Return all that the server sends until it closes. `again` is sent on and on, every `each_s`."""

    async def exchange() -> bytes:
        async with serving(**knobs) as connect:
            reader, writer = await connect()

            async def send() -> None:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                while again:
                    writer.write(again)
                    await writer.drain()
                    await asyncio.sleep(each_s)

            sending = asyncio.create_task(send())
            received = b""
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(WAIT_S):
                    while part := await reader.read(65536):
                        received += part
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
            return received

    return asyncio.run(exchange())


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
START = b"GET / HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"], 414),
        ([START, b"a: b\r\n" * 101, b"\r\n"], 431),
        ([START, b"a: ", *[b"b" * 10_000] * 7, b"\r\n\r\n"], 431),
        ([START + b"a: " + b"b" * 100_000 + b"\r\n\r\n"], 431),
        ([START, *[b"a: " + b"b" * 5_000 + b"\r\n"] * 20, b"\r\n"], 431),
        ([b"GET / HTTP/1.1\r\n", b"a" * 200_000], 431),
    ],
    ids=[
        "URL",
        "headers",
        "one header in pieces",
        "one header",
        "headers together",
        "a header without an end",
    ],
)
def test_a_head_that_is_too_large_is_refused_while_it_comes(pieces: list[bytes], status: int) -> None:
    answer = answer_to(*pieces)
    assert status_of(answer) == status
    assert b'"message": "' in answer


def test_a_url_without_an_end_is_cut_off() -> None:
    answer = answer_to(b"GET /", again=b"a" * 10_000)
    assert status_of(answer) in (414, 431)


def test_what_fits_is_served() -> None:
    answer = answer_to(
        START + b"a: " + b"b" * 16_000 + b"\r\n" + b"c: d\r\n" * 90, b"connection: close\r\n\r\n"
    )
    assert status_of(answer) == 200
    pipelined = (START + b"\r\n") * 2 + START + b"connection: close\r\n\r\n"
    assert answer_to(pipelined).count(b"200 OK") == 3


@pytest.mark.parametrize(
    ("pieces", "again", "status"),
    [
        ([], b"", 408),
        ([b"GET / HT"], b"", 408),
        ([START], b"a: b\r\n", 408),
        ([], b"\r\n", 408),
        ([b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"], b"", 408),
        ([b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"], b"", 408),
        ([b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"], b"", 200),
    ],
    ids=[
        "nothing",
        "half a line",
        "header by header",
        "empty lines",
        "half a body",
        "half a chunk",
        "an unread body",
    ],
)
def test_a_client_that_does_not_go_on_is_cut_off(pieces: list[bytes], again: bytes, status: int) -> None:
    assert status_of(answer_to(*pieces, again=again, each_s=0.1)) == status


def test_an_idle_connection_is_closed() -> None:
    answer = answer_to(START + b"\r\n", keep_alive_s=0.2)
    assert status_of(answer) == 200


def test_a_connection_that_rests_after_direct_calls_is_closed() -> None:
    """It is closed so long after the last of them, not after the first."""

    class Functions:
        def call_directly(self, kind: Any, body: bytes, answer: Any, fail: Any, **context: Any) -> None:
            answer(body)

    async def exchange() -> tuple[bytes, float]:
        guard = RequestGuard(app, AllowedNames(production=False))
        shares = ActionShares(0)
        functions: Any = Functions()
        direct = DirectCalls(functions, RunningRequests(shares), guard)
        async with serving(direct=direct, keep_alive_s=1.0) as connect:
            reader, writer = await connect()
            head = b"POST /api/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
            answers, last = b"", 0.0
            for _ in range(5):
                writer.write(head + b"{}")
                answers += await reader.readuntil(b"{}")
                last = asyncio.get_running_loop().time()
                await asyncio.sleep(0.25)
            async with asyncio.timeout(WAIT_S):
                answers += await reader.read()
            return answers, asyncio.get_running_loop().time() - last

    answers, rested_s = asyncio.run(exchange())
    assert answers.count(b"200 OK") == 5
    assert rested_s > 0.9


def test_a_body_that_nobody_reads_is_not_taken_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "HTTP_DISCARDED_BYTES_MAX", 100_000)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000000\r\n\r\n"
    assert status_of(answer_to(head, again=b"a" * 10_000)) == 200


def test_a_client_that_does_not_read_its_response_is_cut_off() -> None:
    async def exchange() -> None:
        async with serving() as connect:
            reader, writer = await connect()
            reader._transport.pause_reading()
            writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
            await writer.drain()
            async with asyncio.timeout(WAIT_S):
                while True:  # a write fails once the server has reset the connection
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.05)

    with pytest.raises(ConnectionError):
        asyncio.run(exchange())


@pytest.mark.parametrize("socket_first", [False, True])
def test_connections_of_an_address_are_counted_where_that_is_asked_for(socket_first: bool) -> None:
    async def asked(connection: Any, request: bytes) -> bytes:
        reader, writer = connection
        writer.write(request)
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):
                line: bytes = await reader.readline()
                return line
        return b""

    async def exchange() -> None:
        async with serving(connections_per_address=2) as connect:
            first = await connect()
            assert (
                b"101" in await asked(first, UPGRADE)
                if socket_first
                else b"200" in await asked(first, START + b"\r\n")
            )
            second = await connect()
            assert b"200" in await asked(second, START + b"\r\n")
            assert await asked(await connect(), START + b"\r\n") == b""
            first[1].transport.abort()
            async with asyncio.timeout(WAIT_S):
                while b"200" not in await asked(await connect(), START + b"\r\n"):
                    pass

    asyncio.run(exchange())


@pytest.mark.slow
def test_pings_of_a_client_that_does_not_read_do_not_pile_up() -> None:
    """Each ping is answered, so a client that reads no answer could fill the memory."""

    async def exchange() -> int:
        async with serving() as connect:
            reader, writer = await connect()
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            reader._transport.pause_reading()
            ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)
            largest = 0
            for _ in range(300):
                writer.write(ping * 500)
                await writer.drain()
                (protocol,) = connect.server.server_state.connections  # type: ignore[attr-defined]
                largest = max(largest, protocol.transport.get_write_buffer_size())
            return largest

    assert asyncio.run(exchange()) < 1_000_000
