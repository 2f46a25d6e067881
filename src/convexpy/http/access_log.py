"""A record for each request and each socket, for servers that keep an access log."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from convexpy.http.messages import Receive, Scope, Send

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
_STORED_FILE = re.compile(r"(/api/storage/)[^/]+")
"""Who knows the name of a file may read it."""


class AccessLog:
    """Wraps an ASGI application; `write` gets one record at the end of each request.

    A record has method, path, status, ms, bytes and client. Query strings are left out: tokens and keys travel there. A
    socket is one record when it closes, with the method `WS`.
    """

    def __init__(self, app: AsgiApp, write: Callable[[dict[str, Any]], None]) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket (called by the ASGI server)."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status, size = 0, 0

        async def counted(message: dict[str, Any]) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self._write(_of_scope(scope, scope["method"], status, size, started))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        # `send` stays as it is: sockets write past it where they can.
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._write(_of_scope(scope, "WS", 101, None, started))


def _of_scope(scope: Scope, method: str, status: int, size: int | None, started: float) -> dict[str, Any]:
    client = scope.get("client")
    path = _STORED_FILE.sub(r"\1…", scope["path"])
    return access_record(method, path, status, size, started, client[0] if client else None)


def access_record(
    method: str, path: str, status: int, size: int | None, started: float, client: str | None
) -> dict[str, Any]:
    """Return the record of a request that began at `started`, by `time.perf_counter`."""
    return {
        "method": method,
        "path": path,
        "status": status,
        "ms": round((time.perf_counter() - started) * 1000, 3),
        "bytes": size,
        "client": client,
    }
