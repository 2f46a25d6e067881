"""The way to a deployment, looked at step by step: name, addresses, TLS, the upgrade to a socket, speed."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import socket
import ssl
import time
from typing import Any

from convexpy.client._errors import Unreachable
from convexpy.client._transport import Transport

STEP_TIMEOUT_S = 4.0
ECHO_BYTES = 4 * 1024 * 1024
_SYNC_PATH = "/api/1.48.0/sync"
_WEBSOCKET_ID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Probe(Transport):
    """Looks at one step of the way at a time. Every step ends after some seconds.

    All methods raise `Unreachable` if their step fails.
    """

    @property
    def host(self) -> str:
        """The host of the URL."""
        return self._host

    @property
    def secure(self) -> bool:
        """Whether the URL asks for TLS."""
        return self._secure

    def addresses(self) -> list[tuple[str, str]]:
        """Return (`IPv4` or `IPv6`, address) of the host, as the system resolves it."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._unreachable(error) from error
        kinds = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}
        each = [(kinds[family], str(place[0])) for family, _, _, _, place in found if family in kinds]
        return list(dict.fromkeys(each))

    def connect_ms(self, address: str) -> float:
        """Return how long it takes to connect to one of the host's addresses, in milliseconds."""
        started = time.perf_counter()
        try:
            with socket.create_connection((address, self._port), timeout=STEP_TIMEOUT_S):
                return (time.perf_counter() - started) * 1000
        except OSError as error:
            raise self._unreachable(error) from error

    def certificate_days(self) -> float | None:
        """Return for how many days the server's certificate is valid, None where the way has no TLS."""
        if not self._secure:
            return None
        connection = self._opened()
        assert isinstance(connection.sock, ssl.SSLSocket)  # the URL is https
        ends = (connection.sock.getpeercert() or {}).get("notAfter")
        return (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400 if isinstance(ends, str) else None

    def round_trips_ms(self, count: int = 5) -> list[float]:
        """Return the durations of so many small requests over one connection, the first without connecting."""
        self._opened()
        found: list[float] = []
        for _ in range(count):
            started = time.perf_counter()
            self.request("GET", "/version", timeout_s=STEP_TIMEOUT_S)
            found.append((time.perf_counter() - started) * 1000)
        return found

    def upgrade(self) -> None:
        """Ask for the socket that clients use, and leave it again.

        Raises:
            Unreachable: something on the way answered otherwise; the answer is in the message.
        """
        key = base64.b64encode(os.urandom(16))
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
        }
        connection = self._opened()
        try:
            connection.request("GET", self._prefix + _SYNC_PATH, headers=headers)
            response = connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            self._connection = None
        accepted = response.headers.get("Sec-WebSocket-Accept", "")
        connection.close()
        if response.status != 101:
            raise Unreachable(f"the upgrade to a WebSocket was answered with {response.status}")
        if accepted != base64.b64encode(hashlib.sha1(key + _WEBSOCKET_ID).digest()).decode():
            raise Unreachable("the upgrade to a WebSocket was answered by something that is no WebSocket")

    def throughput(self, size: int = ECHO_BYTES) -> float:
        """Send so many bytes and get them back; return bytes per second, of both ways together."""
        connection = self._opened()
        payload = os.urandom(size)
        started = time.perf_counter()
        try:
            connection.request("POST", self._prefix + "/echo", payload)
            answer = connection.getresponse()
            back = answer.read()
        except (http.client.HTTPException, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            self.close()
        if answer.status != 200 or back != payload:
            raise Unreachable(f"/echo answered {answer.status} with {len(back):,} of {size:,} bytes")
        return 2 * size / (time.perf_counter() - started)

    def _opened(self) -> http.client.HTTPConnection:
        self.close()
        try:
            connection = self._connect()
        except (http.client.HTTPException, OSError) as error:
            raise self._unreachable(error) from error
        sock: Any = connection.sock
        sock.settimeout(STEP_TIMEOUT_S)
        return connection
