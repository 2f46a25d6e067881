"""Ports, and the ASGI servers behind them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from convexpy.errors import Error
from convexpy.http.direct_calls import DirectCalls
from convexpy.http.messages import Receive, Scope, Send
from convexpy.limits import Knobs
from convexpy.serve.bounded_protocol import BoundedProtocol, ConnectionCounter
from convexpy.serve.direct_socket import DirectSocketProtocol
from convexpy.serve.gate import Gate
from convexpy.serve.oversize import CONTROL_FRAME_BYTES_MAX

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
BACKLOG = 2048
ANSWERS_WITHIN_S = 2
"""How long answers may take to leave, beyond the grace of running mutations."""


class PortInUse(Error):
    """A port cannot be bound."""


class Server(uvicorn.Server):
    """A uvicorn server whose process handles signals itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # overrides uvicorn's generator
        """Capture none (called by uvicorn)."""
        yield

    async def main_loop(self) -> None:
        """Wait for the end, where uvicorn looks ten times a second: an idle server sleeps."""
        await self.on_tick(0)
        await self._ended.wait()

    def end(self) -> None:
        """Stop listening and close connections as their responses end."""
        self.should_exit = True
        self._ended.set()


def bind(host: str, port: int, flag: str) -> socket.socket:
    """Return a listening socket for the port that an option, `flag`, gives.

    Raises:
        PortInUse: another process listens there, or the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortInUse(
            f"cannot listen on {host}:{port}: {reason}",
            hint=f"{flag} with another port; 0 for any that is free",
            data={"port": port, "flag": flag},
        ) from error
    sock.setblocking(False)
    return sock


def origin_of(scheme: str, host: str, sock: socket.socket) -> str:
    """Return the URL of a listening socket, as seen from this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{sock.getsockname()[1]}"


def server_of(
    app: AsgiApp,
    knobs: Knobs,
    counter: ConnectionCounter,
    *,
    direct: DirectCalls | None = None,
    gate: Gate | None = None,
    cert: Path | None = None,
    key: Path | None = None,
) -> Server:
    """Return a server of an application; with a certificate it speaks TLS. `counter` may be shared.

    `direct` runs calls that need not go through the application; what comes while `gate` is shut waits.
    """
    tls: dict[str, Any] = {} if cert is None else {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}
    config = uvicorn.Config(
        app,
        loop="none",
        http=functools.partial(BoundedProtocol, counter=counter, direct=direct, gate=gate),  # type: ignore[arg-type]  # called like a class
        ws=functools.partial(  # type: ignore[arg-type]
            DirectSocketProtocol, counter=counter, limit=knobs.socket_message_bytes, gate=gate
        ),
        ws_max_size=knobs.socket_message_bytes + CONTROL_FRAME_BYTES_MAX,
        ws_ping_interval=20.0,
        ws_ping_timeout=120.0,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=knobs.keep_alive_s,  # type: ignore[arg-type]  # seconds for a timer
        timeout_graceful_shutdown=round(knobs.stop_grace_s) + ANSWERS_WITHIN_S,
        backlog=BACKLOG,
        **tls,
    )
    return Server(config)
