"""The way to a deployment, looked at step by step: name, addresses, TLS, the upgrade to a socket, speed."""

from __future__ import annotations

import os
import socket
import ssl
import time
from urllib.parse import urlsplit

from convexpy.client._errors import Unreachable
from convexpy.client._transport import Transport

STEP_TIMEOUT_S = 4.0
ECHO_BYTES = 4 * 1024 * 1024
_SYNC_PATH = "/api/1.48.0/sync"


class Probe(Transport):
    """Looks at one step of the way at a time. Every step ends after some seconds.

    All methods raise `Unreachable` if their step fails.
    """

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether the URL asks for TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def _port(self) -> int:
        return urlsplit(self.url).port or (443 if self.secure else 80)

    def addresses(self) -> list[tuple[str, str]]:
        """Return (`IPv4` or `IPv6`, address) of the host, as the system resolves it."""
        try:
            found = socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM)
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
        if not self.secure:
            return None
        with self.streaming("GET", "/version", {}, None, timeout_s=STEP_TIMEOUT_S) as response:
            secure = response.extensions["network_stream"].get_extra_info("ssl_object")
            ends = (secure.getpeercert() or {}).get("notAfter")
        return (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400 if isinstance(ends, str) else None

    def round_trips_ms(self, count: int = 5) -> list[float]:
        """Return the durations of so many small requests over one connection, the first without connecting."""
        found: list[float] = []
        try:
            for _ in range(count + 1):
                started = time.perf_counter()
                self.request("GET", "/version", timeout_s=STEP_TIMEOUT_S)
                found.append((time.perf_counter() - started) * 1000)
        finally:
            self.close()
        return found[1:]

    def upgrade(self) -> None:
        """Ask for the socket that clients use, and leave it again.

        Raises:
            Unreachable: something on the way answered otherwise; the answer is in the message.
        """
        from websockets.exceptions import InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        proxy = self.proxy
        address = self.url.replace("http", "ws", 1) + _SYNC_PATH
        try:
            with connect(
                address, proxy=None if proxy is None else proxy.url, open_timeout=STEP_TIMEOUT_S,
                close_timeout=STEP_TIMEOUT_S,
            ):  # fmt: skip
                return
        except InvalidStatus as error:
            status = error.response.status_code
            raise Unreachable(f"the upgrade to a WebSocket was answered with {status}") from error
        except InvalidHandshake as error:
            raise Unreachable(f"the upgrade to a WebSocket failed: {error}") from error
        except OSError as error:
            raise self._unreachable(error) from error

    def throughput(self, size: int = ECHO_BYTES) -> float:
        """Send so many bytes and get them back; return bytes per second, of both ways together."""
        payload = os.urandom(size)
        started = time.perf_counter()
        with self.streaming("POST", "/echo", {}, payload, timeout_s=STEP_TIMEOUT_S) as response:
            back = response.read()
        if response.status_code != 200 or back != payload:
            raise Unreachable(f"/echo answered {response.status_code} with {len(back):,} of {size:,} bytes")
        return 2 * size / (time.perf_counter() - started)
