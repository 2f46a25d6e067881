"""A closed-loop HTTP client that costs little, so that the server is what is measured.

Requests are whole byte strings, made before; one epoll loop in the calling thread drives all connections.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)")
SUCCESS = b'"status":"success"'


def post_request(path: str, body: bytes) -> bytes:
    """Return a whole request."""
    return (
        b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (path.encode(), len(body), body)
    )


def connect(port: int) -> socket.socket:
    """Return a connection to a local port."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def quantile(values: list[float], share: float) -> float:
    """Return a quantile of sorted values."""
    return values[min(int(len(values) * share), len(values) - 1)]


@dataclass
class Load:
    """What a load did: how long it took, and each answer's latency in milliseconds, sorted."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def tps(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return quantile(self.latencies_ms, 0.5)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return quantile(self.latencies_ms, 0.99)


def _is_whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = LENGTH.search(data, 0, end + 2)
    return length is not None and len(data) >= end + 4 + int(length[1])


def closed_loop(port: int | Sequence[int], requests: Iterator[bytes], clients: int, seconds: float) -> Load:
    """Keep one request under way on each of `clients` connections for a while, or until there are no more.

    The connections are shared out among several ports.
    """
    ports = [port] if isinstance(port, int) else list(port)
    if clients == 1:
        return sequential(ports[0], requests, seconds)
    load = Load()
    connections = [connect(ports[number % len(ports)]) for number in range(clients)]
    sockets = {sock.fileno(): sock for sock in connections}
    sent_at: dict[int, float] = {}
    partial: dict[int, bytes] = {}
    poll = select.epoll()
    gc.disable()
    try:
        clock, record = time.perf_counter, load.latencies_ms.append
        began = clock()
        end = began + seconds
        for number, sock in sockets.items():
            poll.register(number, select.EPOLLIN)
            sent_at[number] = clock()
            sock.send(next(requests))
        while sent_at:
            for number, _ in poll.poll():
                sock = sockets[number]
                data = sock.recv(65536)
                if number in partial:
                    data = partial.pop(number) + data
                if not data:
                    raise SystemExit("the server closed a connection")
                if not _is_whole(data):
                    partial[number] = data
                    continue
                now = clock()
                record((now - sent_at[number]) * 1000)
                if SUCCESS not in data:
                    load.failures += 1
                request = next(requests, None) if now < end else None
                if request is None:
                    del sent_at[number]
                else:
                    sent_at[number] = now
                    sock.send(request)
        load.seconds = clock() - began
    finally:
        gc.enable()
        poll.close()
        for sock in sockets.values():
            sock.close()
    load.latencies_ms.sort()
    return load


class Caller:
    """One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)

    def call(self, request: bytes) -> bytes:
        """Return the whole answer."""
        self._socket.send(request)
        data = self._socket.recv(65536)
        while not _is_whole(data):
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            data += more
        return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def sequential(port: int, requests: Iterator[bytes], seconds: float) -> Load:
    """Send one request after the other over one connection for a while."""
    load = Load()
    caller = Caller(port)
    gc.disable()
    try:
        clock, record = time.perf_counter, load.latencies_ms.append
        began = now = clock()
        while now < began + seconds:
            answer = caller.call(next(requests))
            done = clock()
            record((done - now) * 1000)
            now = done
            if SUCCESS not in answer:
                load.failures += 1
        load.seconds = now - began
    finally:
        gc.enable()
        caller.close()
    load.latencies_ms.sort()
    return load
