"""Who may talk to the dashboard: the browser that was given its address, and no page of anybody else.

The server listens on this machine only, and whoever talks to it has the admin key's power. Three checks come before
everything else, for requests and for WebSockets alike:

- `Host` must name this machine: else a page could have its own name resolve to it (DNS rebinding).
- `Origin`, where there is one, must be the dashboard itself; where there is none, `Sec-Fetch-Site` must not say that another
  page sent the request.
- A cookie must hold the session's secret. The address that `convexpy dashboard` prints has a token that is exchanged for it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from convexpy.protocol.host_names import is_loopback, read_host

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN = "token"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every response, unless the dashboard says otherwise. NiceGUI compiles templates, and so needs `unsafe-eval`."""


@dataclass(frozen=True)
class Session:
    """The secrets of one run: the token of the printed address, and what the cookie holds."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie_name(self) -> str:
        """A name of this run's own: browsers share cookies between all ports of a host."""
        return f"convexpy-dashboard-{hashlib.sha256(self.secret.encode()).hexdigest()[:12]}"

    def cookie(self) -> str:
        """Return the header that gives the browser its secret."""
        return f"{self.cookie_name}={self.secret}; Path=/; HttpOnly; SameSite=Strict"


class Guard:
    """Passes on to `app` what the dashboard's own pages ask for, and refuses everything else."""

    def __init__(self, app: AsgiApp, session: Session) -> None:
        self._app = app
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a handshake."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._foreign(headers)
        if refusal is None and scope["type"] == "http" and self._has_token(scope):
            await _respond(send, 200, _forward(scope["path"]), {"Set-Cookie": self._session.cookie()})
        elif refusal is None and self._has_cookie(headers):
            await self._pass_on(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _respond(send, 403, _refused(refusal or NO_SESSION))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the dashboard answer. What it raises because the browser has gone meanwhile is not an error."""
        gone = False

        async def receiving() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receiving, _with_headers(send))
        except RuntimeError:
            if not gone:
                raise

    def _foreign(self, headers: MutableMapping[str, str]) -> str | None:
        """Return why a request is not one of the dashboard's own pages, or None if it may be."""
        host = headers.get("host", "")
        name = read_host(host)
        if name is None or not is_loopback(name):
            return "The dashboard answers only to names of this machine, such as localhost."
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            return "Another page has sent this request."
        # `none` is a person's own doing: an address that was typed, or a bookmark.
        if origin is None and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            navigates = (
                headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            )
            return None if navigates else "Another page has sent this request."
        return None

    def _has_token(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])[-1]
        return scope["method"] == "GET" and secrets.compare_digest(
            given.encode(), self._session.token.encode()
        )

    def _has_cookie(self, headers: MutableMapping[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._session.cookie_name)
        except CookieError:
            return False
        return found is not None and secrets.compare_digest(
            found.value.encode(), self._session.secret.encode()
        )


NO_SESSION = "Open the address that convexpy dashboard has printed: it has a token that lets this browser in."


def _forward(path: str) -> str:
    """Return a page that goes on to the address without the token.

    A redirect would be part of the navigation that another site may have begun, and go without the cookie.
    """
    target = escape("/" + path.lstrip("/"), quote=True)
    return f'<!doctype html><meta http-equiv="refresh" content="0;url={target}"><title>Dashboard</title>'


def _refused(reason: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not allowed</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        '<body style="font:16px/1.5 system-ui;max-width:34rem;margin:20vh auto;padding:0 1.5rem">'
        f'<h1 style="font-size:1.25rem">Not allowed</h1><p>{escape(reason)}</p>'
    )


async def _respond(
    send: Send, status: int, page: str, headers: MutableMapping[str, str] | None = None
) -> None:
    every = {
        **HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        **(headers or {}),
    }
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": page.encode()})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            known = {name.lower() for name, _ in given}
            added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": given + [pair for pair in added if pair[0] not in known]}
        await send(message)

    return sending
