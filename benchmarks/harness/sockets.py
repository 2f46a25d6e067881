"""Many WebSockets in one thread: raw frames, of which a result is only counted and measured, never parsed."""

from __future__ import annotations

import gc
import json
import os
import select
import struct
import time
import uuid
from collections.abc import Callable
from typing import Any

from harness.http_load import connect

SYNC_PATH = "/api/1.48.0/sync"
TRANSITION = b'{"type":"Transition"'
PING = b'{"type":"Ping"'


def frame(text: bytes) -> bytes:
    """Return a client's text frame; its mask is all zero, which is allowed and costs nothing."""
    size = len(text)
    if size < 126:
        return struct.pack("!BBI", 0x81, 0x80 | size, 0) + text
    if size < 65536:
        return struct.pack("!BBHI", 0x81, 0x80 | 126, size, 0) + text
    return struct.pack("!BBQI", 0x81, 0x80 | 127, size, 0) + text


class WebSocket:
    """One connection; `feed` cuts what has arrived into messages."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = connect(port)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise SystemExit(f"no WebSocket at {path}: {self._buffer[:200]!r}")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise SystemExit(f"no WebSocket at {path}: {head[:200]!r}")

    def send(self, text: bytes) -> None:
        """Send a text message."""
        self.socket.sendall(frame(text))

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now."""
        buffer = self._buffer + data if self._buffer else data
        messages: list[bytes] = []
        position = 0
        while len(buffer) - position >= 2:
            opcode, size, start = buffer[position] & 15, buffer[position + 1], position + 2
            if size == 126:
                start += 2
                size = (
                    int.from_bytes(buffer[position + 2 : start], "big") if len(buffer) >= start else 1 << 62
                )
            elif size == 127:
                start += 8
                size = (
                    int.from_bytes(buffer[position + 2 : start], "big") if len(buffer) >= start else 1 << 62
                )
            if len(buffer) < start + size:
                break
            message = buffer[start : start + size]
            position = start + size
            if opcode == 1:
                messages.append(message)
            elif opcode == 9:
                self.socket.sendall(struct.pack("!BBI", 0x8A, 0x80 | size, 0) + message)
            elif opcode == 8:
                raise SystemExit(f"the server closed a socket: {message!r}")
        self._buffer = buffer[position:]
        return messages

    def receive(self) -> list[bytes]:
        """Wait for the next messages."""
        while True:
            data = self.socket.recv(262144)
            if not data:
                raise SystemExit("the server closed a socket")
            messages = [message for message in self.feed(data) if not message.startswith(PING)]
            if messages:
                return messages


class Crowd:
    """Many sockets, listened to by one loop."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self.members = [WebSocket(port, path) for _ in range(count)]
        self._by_number = {member.socket.fileno(): member for member in self.members}
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)

    def until_each_has(
        self,
        count: int,
        *,
        trigger: Callable[[], object] | None = None,
        wanted: bytes = TRANSITION,
        timeout_s: float = 120.0,
    ) -> tuple[float, list[float], int]:
        """Return after every member has got `count` messages that begin with `wanted`.

        Returns the seconds until the last, each member's seconds, sorted, and the size of the last message.
        """
        missing = dict.fromkeys(self._by_number, count)
        times: list[float] = []
        size = 0
        clock = time.perf_counter
        gc.disable()
        try:
            began = clock()
            if trigger is not None:
                trigger()
            while missing:
                ready = self._poll.poll(timeout_s)
                if not ready:
                    raise SystemExit(f"{len(missing)} of {len(self.members)} sockets got nothing")
                for number, _ in ready:
                    member = self._by_number[number]
                    data = member.socket.recv(262144)
                    if not data:
                        raise SystemExit("the server closed a socket")
                    for message in member.feed(data):
                        if not message.startswith(wanted) or number not in missing:
                            continue
                        size = len(message)
                        missing[number] -= 1
                        if not missing[number]:
                            del missing[number]
                            times.append(clock() - began)
            return clock() - began, times, size
        finally:
            gc.enable()

    def drain(self, quiet_s: float = 0.2) -> None:
        """Read until nothing has come for a while."""
        while ready := self._poll.poll(quiet_s):
            for number, _ in ready:
                self._by_number[number].feed(self._by_number[number].socket.recv(262144))

    def close(self) -> None:
        """Close all of them."""
        self._poll.close()
        for member in self.members:
            member.socket.close()


def hello() -> bytes:
    """Return the first message of a sync socket."""
    return json.dumps(
        {
            "type": "Connect", "sessionId": str(uuid.UUID(bytes=os.urandom(16))), "connectionCount": 0,
            "lastCloseReason": "InitialConnect",
        }
    ).encode()  # fmt: skip


def add_queries(version: int, queries: list[tuple[int, str, dict[str, Any]]]) -> bytes:
    """Return the message that adds queries (id, path, arguments) to query set `version`."""
    adds = [
        {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]}
        for query_id, path, args in queries
    ]
    message = {
        "type": "ModifyQuerySet",
        "baseVersion": version,
        "newVersion": version + 1,
        "modifications": adds,
    }
    return json.dumps(message).encode()


def mutation(request_id: int, path: str, args: dict[str, Any]) -> bytes:
    """Return a mutation's message."""
    return json.dumps({"type": "Mutation", "requestId": request_id, "udfPath": path, "args": [args]}).encode()
