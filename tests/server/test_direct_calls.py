"""Calls that skip ASGI are answered exactly as those that do not."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import ServerProcess, wait_for

from convexpy.http.direct_calls import BODY_BYTES_MAX

pytestmark = pytest.mark.slow

APP = """
import time
from convexpy import ConvexError, Int64, internal_mutation, mutation, query

@mutation
def add(ctx, n: int) -> str:
    print("adding", n)
    ctx.db.insert("items", {"n": n})
    return f"{n} \\u00e9"

@query
def items(ctx) -> list[float]:
    return [each["n"] for each in ctx.db.query("items").collect()]

@query
def big(ctx, n: int) -> Int64:
    return Int64(2**60 + n)

@mutation
def fails(ctx) -> None:
    raise ConvexError({"why": "no"})

@mutation
def breaks(ctx) -> None:
    raise ValueError("broken")

@internal_mutation
def hidden(ctx) -> None:
    pass

@mutation
def slow(ctx) -> None:
    time.sleep(1)
"""
Connect = Callable[[ServerProcess], "Connection"]
CALLS: list[tuple[str, bytes]] = [
    ("/api/mutation", b'{"path":"fn:add","args":{"n":1}}'),
    ("/api/mutation?format=json", b'{"path":"fn:add","args":[{"n":1}]}'),
    ("/api/query", b'{"path":"fn:items","args":{}}'),
    ("/api/query", b'{"path":"fn:big","args":{"n":1},"format":"convex_encoded_json"}'),
    ("/api/query?format=json", b'{"path":"fn:big","args":{"n":1},"format":"json"}'),
    ("/api/query", b'{"path":"fn:add","args":{"n":1}}'),
    ("/api/mutation", b'{"path":"fn:fails","args":{}}'),
    ("/api/mutation", b'{"path":"fn:breaks","args":{}}'),
    ("/api/mutation", b'{"path":"fn:add","args":{"n":"x"}}'),
    ("/api/mutation", b'{"path":"fn:hidden","args":{}}'),
    ("/api/mutation", b'{"path":"fn:missing","args":{}}'),
    ("/api/mutation", b'{"path":"a:b:c","args":{}}'),
    ("/api/mutation", b'{"path":"_system/cli:nothing","args":{}}'),
    ("/api/mutation", b'{"path":"fn:add","args":{"n":1},"format":"xml"}'),
    ("/api/mutation", b'{"path":"fn:add","args":{"n":1}'),
    ("/api/mutation", b"\xff"),
    ("/api/mutation", b""),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("direct") / "data")
    try:
        server.push_ok({"fn.py": APP})
        yield server
    finally:
        server.close()


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: test/1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    """A connection, and the responses that come over it."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=200)
        self._received = b""

    def response(self) -> tuple[bytes, dict[str, str], bytes]:
        """Return status line, headers and body of the next response."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.decode().partition(": ") for line in lines)
        }
        while len(rest) < int(headers["content-length"]):
            rest += self._more()
        body, self._received = rest[: int(headers["content-length"])], rest[int(headers["content-length"]) :]
        return status.rstrip(), headers, re.sub(rb"Request ID: \w+", b"Request ID", body)

    def _more(self) -> bytes:
        part = self.socket.recv(65536)
        assert part, f"the server closed the connection after {self._received!r}"
        self._received += part
        return part

    def close(self) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> tuple[bytes, dict[str, str], bytes]:
        self.socket.sendall(request)
        return self.response()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what opens connections, which end with the test."""
    with contextlib.ExitStack() as opened:
        yield lambda server: opened.enter_context(contextlib.closing(Connection(server)))


@pytest.mark.parametrize(("path", "body"), CALLS)
def test_a_direct_call_is_answered_as_any_other(
    server: ServerProcess, path: str, body: bytes, connect: Connect
) -> None:
    connection = connect(server)
    direct = connection.ask(post(path, body))
    if b"fn:items" not in body:
        assert connection.ask(post(path, body)) == direct  # the second one has a head that is known
    if path.startswith("/api/mutation") and b'"n":1' in body and direct[2].startswith(b'{"status":"success"'):
        assert direct[2] == '{"status":"success","value":"1 é","logLines":["[LOG] adding 1"]}'.encode()
    ordinary = connection.ask(post(path, body, "X-Other: 1"))
    if b"fn:items" not in body:
        assert direct == ordinary
    assert direct[:1] == ordinary[:1]


def test_a_large_body_and_a_small_one_follow_each_other(server: ServerProcess, connect: Connect) -> None:
    connection = connect(server)
    padding = b" " * BODY_BYTES_MAX
    for _ in range(3):
        assert (
            connection.ask(post("/api/query", b'{"path":"fn:big","args":{"n":1}}'))[0] == b"HTTP/1.1 200 OK"
        )
        body = b'{"path":"fn:big","args":{"n":1}}' + padding
        assert connection.ask(post("/api/query", body))[0] == b"HTTP/1.1 200 OK"


def test_a_body_in_pieces_is_one_call(server: ServerProcess, connect: Connect) -> None:
    connection = connect(server)
    request = post("/api/query", b'{"path":"fn:big","args":{"n":5}}')
    for start in range(0, len(request), 7):
        connection.socket.sendall(request[start : start + 7])
    assert json.loads(connection.response()[2])["value"] is not None


def test_known_heads_come_in_every_order(server: ServerProcess, connect: Connect) -> None:
    connection = connect(server)
    known = post("/api/query", b'{"path":"fn:big","args":{"n":1},"format":"json"}')
    other = post("/api/query", b'{"path":"fn:big","args":{"n":1},"format":"json"}', "X-Other: 1")
    expected = connection.ask(known)
    for data in (known, known + known, known + other, other + known, known):
        connection.socket.sendall(data)
        for _ in range(data.count(b"POST")):
            assert connection.response() == expected
    for data in (known[:50], known[50:], known, known + known[:-1], known[-1:], b"\r\n" + known, known):
        connection.socket.sendall(data)
        time.sleep(0.02)
    assert [connection.response() for _ in range(6)] == [expected] * 6


def test_a_connection_that_only_makes_known_calls_stays_open(server: ServerProcess, connect: Connect) -> None:
    connection = connect(server)
    request = post("/api/query", b'{"path":"fn:big","args":{"n":1}}')
    expected = connection.ask(request)
    for _ in range(200):
        assert connection.ask(request) == expected


def test_requests_sent_at_once_are_answered_in_order(server: ServerProcess, connect: Connect) -> None:
    connection = connect(server)
    kinds: list[list[str]] = [[], ["X-Other: 1"], [], [], ["X-Other: 1"]]
    requests = [
        post("/api/query", b'{"path":"fn:big","args":{"n":%d},"format":"json"}' % n, *headers)
        for n, headers in enumerate(kinds)
    ]
    connection.socket.sendall(b"".join(requests))
    values = [json.loads(connection.response()[2])["value"] for _ in requests]
    assert values == [str(2**60 + n) for n in range(len(kinds))]


def test_a_client_that_leaves_is_not_missed(server: ServerProcess, connect: Connect) -> None:
    before = len(server.call("query", "fn:items"))
    connection = connect(server)
    connection.socket.sendall(post("/api/mutation", b'{"path":"fn:add","args":{"n":9}}'))
    connection.close()
    wait_for(
        lambda: len(server.call("query", "fn:items")) == before + 1, what="the call of a client that left"
    )
    assert "Traceback" not in server.errors()


def test_a_stranger_s_host_is_refused(server: ServerProcess, connect: Connect) -> None:
    request = post("/api/query", b'{"path":"fn:items"}').replace(
        b"Host: localhost", b"Host: evil.example.com"
    )
    status, _, body = connect(server).ask(request)
    assert status.startswith(b"HTTP/1.1 403")
    assert json.loads(body)["code"] == "HostNotAllowed"


def test_the_stop_of_the_server_waits_for_a_direct_call(tmp_path: Path, connect: Connect) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        server.push_ok({"fn.py": APP})
        connection = connect(server)
        connection.socket.sendall(post("/api/mutation", b'{"path":"fn:slow","args":{}}'))
        # What was sent later and is answered shows that the server has read the call.
        assert connect(server).ask(post("/api/query", b'{"path":"fn:items"}'))[0] == b"HTTP/1.1 200 OK"
        ending = threading.Thread(target=server.stop)
        ending.start()
        status, headers, body = connection.response()
        ending.join(60)
        assert (status, json.loads(body)["status"]) == (b"HTTP/1.1 200 OK", "success")
        assert headers["connection"] == "close"
        assert connection.socket.recv(1) == b""
    finally:
        server.close()
