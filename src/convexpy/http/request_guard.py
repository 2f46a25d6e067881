"""Which hosts a server answers to, and which web pages may call it.

A browser lets any page send requests to any server; what keeps a stranger's page away from a deployment is the server:

- The `Host` header is the name that the page used. A name that the server does not know is refused: else a page could
  have its own name resolve to this server (DNS rebinding) and count as the server's own page.
- The `Origin` header names the page. Requests without it are not a page's calls, or are those of a page of the server
  itself, which `Host` covers; but pages also load images, scripts and frames without it. Browsers mark those with
  `Sec-Fetch-Site`.

Development: this machine's names and pages only. Production: the server's own names and pages, those of this machine,
and what its flags name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from convexpy.errors import RequestError
from convexpy.http.messages import Headers, Receive, Scope, Send, error_response
from convexpy.limits import HOST_NAME_LENGTH_MAX, REFUSALS_REPORTED_MAX
from convexpy.protocol.host_names import (
    Origin,
    is_address,
    is_loopback,
    read_host,
    read_origin,
)

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
STORED_FILE = re.compile(r"/api/storage/[0-9a-f-]{36}")
"""Whose name only those know who were given it: pages that send no `Referer` may show it."""
logger: logging.Logger = logging.getLogger("convexpy.http")


@dataclass(frozen=True, kw_only=True)
class AllowedNames:
    """Hosts and origins beside those of this machine. `*` allows any; a host `.example.com` all names below it."""

    production: bool
    hosts: frozenset[str] = frozenset()
    origins: frozenset[Origin | str] = frozenset()

    @classmethod
    def of(
        cls, *, production: bool, hosts: Iterable[str], origins: Iterable[str], own: Iterable[str] = ()
    ) -> AllowedNames:
        """Return what flags name, and the URLs of the server itself."""
        own_origins = {found for url in own if (found := _origin_of_url(url)) is not None}
        named = {read_origin(text) or text for text in origins}
        own_hosts = {origin.host for origin in own_origins}
        return cls(
            production=production,
            hosts=frozenset({*own_hosts, *(read_host(text) or text.lower() for text in hosts)}),
            origins=frozenset({*own_origins, *named}),
        )

    def host(self, header: str | None) -> bool:
        """Say whether the server answers to this `Host`."""
        if "*" in self.hosts:
            return True
        if header is None:
            return self.production  # HTTP/1.0 of a load balancer; browsers always send it
        host = read_host(header)
        if host is None:
            return False
        if is_loopback(host) or host in self.hosts:
            return True
        if any(name.startswith(".") and host.endswith(name) for name in self.hosts):
            return True
        # Neither an address nor a name without a dot can be made to lead here by a stranger's DNS.
        return self.production and (is_address(host) or "." not in host)

    def origin(self, header: str, host: str | None) -> bool:
        """Say whether pages of this origin may call, at this (allowed) `Host`."""
        if "*" in self.origins or header in self.origins:
            return True
        origin = read_origin(header)
        if origin is None:
            return False
        if origin in self.origins:
            return True
        if origin.scheme not in ("http", "https"):
            return False
        return is_loopback(origin.host) or (host is not None and origin.host == read_host(host))


def _origin_of_url(url: str) -> Origin | None:
    return read_origin("/".join(url.split("/", 3)[:3]))


class RequestGuard:
    """Wraps an ASGI application: other hosts and other pages get 403, with a text that names the flag.

    `open_to_pages` are path prefixes that pages of any origin may call, in production only: HTTP actions, whose CORS is
    the app's own business. `report` is told of each refused name once.
    """

    def __init__(
        self,
        app: AsgiApp,
        allowed: AllowedNames,
        *,
        open_to_pages: tuple[str, ...] = (),
        report: Callable[[str], None] = logger.warning,
    ) -> None:
        self._app = app
        self._allowed = allowed
        self._open = open_to_pages if allowed.production else ()
        self._report = report
        self._reported: set[str] = set()
        self._decide = lru_cache(maxsize=256)(self._refusal)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request or socket (called by the ASGI server). Not a coroutine of its own: this is on every path."""
        if scope["type"] not in ("http", "websocket"):
            return self._app(scope, receive, send)
        host, page = _host_and_page(scope, embeds=not self._allowed.production)
        if page is not None and self._open and scope["path"].startswith(self._open):
            page = None
        refusal = self._decide(host, page)
        if refusal is None:
            return self._app(scope, receive, send)
        if refusal.message not in self._reported and len(self._reported) < REFUSALS_REPORTED_MAX:
            self._reported.add(refusal.message)
            self._report(refusal.message)
        return _refuse(refusal, scope, receive, send)

    def answers_to(self, host: bytes | None) -> bool:
        """Say whether a request with this `Host` and no `Origin` is allowed."""
        return host is not None and len(host) <= HOST_NAME_LENGTH_MAX and self._decide(host, None) is None

    def _refusal(self, host_sent: bytes | None, page_sent: bytes | None) -> RequestError | None:
        allowed, host, page = self._allowed, _text(host_sent), _text(page_sent)
        if not allowed.host(host):
            return _host_refused(host, production=allowed.production)
        if page is not None and not allowed.origin(page, host):
            return _origin_refused(page, production=allowed.production)
        return None


def _host_and_page(scope: Scope, *, embeds: bool) -> tuple[bytes | None, bytes | None]:
    """Return the `Host`, and the origin of the page that calls; several of one kind are malformed, and as such foreign."""
    host = origin = None
    fetched = False
    for name, value in scope["headers"]:
        if name == b"host":
            host = value if host is None else host + b", " + value
        elif name == b"origin":
            origin = value if origin is None else origin + b", " + value
        elif name == b"sec-fetch-site":
            fetched = True
    if fetched and origin is None and embeds:
        origin = _embedding_page(scope, dict(scope["headers"]))
    # What is cut off here is too long to be a name, and is not kept.
    if host is not None and len(host) > HOST_NAME_LENGTH_MAX:
        host = host[: HOST_NAME_LENGTH_MAX + 1]
    if origin is not None and len(origin) > HOST_NAME_LENGTH_MAX:
        origin = origin[: HOST_NAME_LENGTH_MAX + 1]
    return host, origin


def _embedding_page(scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the origin of a page of another site that loads this as an image, a script or a frame."""
    if headers[b"sec-fetch-site"] in (b"same-origin", b"none"):
        return None
    if (headers.get(b"sec-fetch-mode"), headers.get(b"sec-fetch-dest")) == (b"navigate", b"document"):
        return None  # A link that a person follows: what it answers is shown to that person only.
    referrer = headers.get(b"referer")
    if referrer is not None:
        return b"/".join(referrer.split(b"/", 3)[:3])
    if headers[b"sec-fetch-site"] == b"same-site" or STORED_FILE.fullmatch(scope["path"]):
        return None
    return b"null"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _host_refused(host: str | None, *, production: bool) -> RequestError:
    name = None if host is None else read_host(host)
    if name is None:
        return RequestError(
            f"the request has no valid Host header: {_shown(host)}", status=403, code="HostNotAllowed"
        )
    known = "its own names" if production else "localhost"
    return RequestError(
        f"this server answers to {known} only, not to the host {_shown(host)}. If that name is yours, allow it: "
        f"--allow-host {name}{_elsewhere('host', production)}",
        status=403,
        code="HostNotAllowed",
    )


def _origin_refused(origin: str, *, production: bool) -> RequestError:
    known = "its own pages" if production else "pages of this machine (localhost)"
    shown = origin if read_origin(origin) is not None else "null"
    return RequestError(
        f"this server may be called from {known} only, not from pages of the origin {_shown(origin)}. If they are yours, "
        f"allow them: --allow-origin {shown}{_elsewhere('origin', production)}",
        status=403,
        code="OriginNotAllowed",
    )


def _elsewhere(what: str, production: bool) -> str:
    if production:
        return f" (variable CONVEXPY_SERVE_ALLOW_{what.upper()})"
    return f" (variable CONVEXPY_DEV_ALLOW_{what.upper()}, or allow-{what} under [dev] in convexpy.toml)"


def _shown(name: str | None) -> str:
    if name is None:
        return "none"
    return ascii(name if len(name) <= 100 else f"{name[:100]}…")


async def _refuse(refusal: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 403, to a WebSocket in place of the handshake."""
    response = error_response(refusal)
    headers: Headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
    kind = "http"
    body = b"" if scope.get("method") == "HEAD" else response.body
    if scope["type"] == "websocket":
        await receive()
        kind = "websocket.http"
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            closing: dict[str, Any] = {"type": "websocket.close", "code": 1008, "reason": refusal.code}
            await send(closing)
            return
    else:
        headers.append((b"connection", b"close"))  # the rest of a body is not waited for
    await send({"type": f"{kind}.response.start", "status": response.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": body})
