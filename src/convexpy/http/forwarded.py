"""Headers by which a proxy tells who the client is: `X-Forwarded-For`, `X-Forwarded-Proto`, `Forwarded`.

Anybody can send them, so they count only on connections of proxies that are named. Proxies append, so of several addresses
the last one counts that is not itself such a proxy: what stands before it may be the client's invention.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Iterable

from convexpy.http.messages import Receive, Scope, Send
from convexpy.http.request_guard import AsgiApp

_FORWARDED_PROTO = re.compile(r'(?:^|[;,\s])proto="?(https?)\b', re.IGNORECASE)
_SCHEMES = ("http", "https")
_NAMES = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"})


class ForwardedHeaders:
    """Wraps an ASGI application: connections of these proxies get the client's address and scheme.

    `proxies` are addresses, networks, or `*` for every peer.
    """

    def __init__(self, app: AsgiApp, proxies: Iterable[str]) -> None:
        self._app = app
        named = list(proxies)
        self._any_peer = "*" in named
        self._networks = [ipaddress.ip_network(each, strict=False) for each in named if each != "*"]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request or socket (called by the ASGI server)."""
        headers = _wanted(scope)
        client = scope.get("client")
        if headers and client is not None and (self._any_peer or self._is_proxy(client[0])):
            scope = {**scope, **self._told(scope, headers)}
        return self._app(scope, receive, send)

    def _told(self, scope: Scope, headers: dict[bytes, str]) -> Scope:
        forwarded: Scope = {}
        address = self._client(headers.get(b"x-forwarded-for", ""))
        if address is not None:
            forwarded["client"] = (address, 0)
        if scope["type"] == "http":
            scheme = headers.get(b"x-forwarded-proto", "").split(",")[0].strip().lower()
            found = _FORWARDED_PROTO.search(headers.get(b"forwarded", ""))
            if scheme in _SCHEMES:
                forwarded["scheme"] = scheme
            elif found is not None:
                forwarded["scheme"] = found[1].lower()
        return forwarded

    def _client(self, header: str) -> str | None:
        """Return the last address that is no proxy; None if there is no address."""
        address = None
        for part in reversed(header.split(",")):
            text = _without_port(part.strip())
            if text is None:
                break
            address = text
            if not self._is_proxy(text):
                break
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _wanted(scope: Scope) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for name, value in scope.get("headers", ()):
        if name in _NAMES:
            text = value.decode("latin-1")
            found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _without_port(text: str) -> str | None:
    """Return an address without brackets and port; None if it is not an address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
