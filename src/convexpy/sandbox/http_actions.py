"""Running HTTP actions: from a request frame to Starlette's `Request`, and from its `Response` to frames."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from convexpy.errors import LimitExceeded
from convexpy.functions import ActionCtx, HttpRouter
from convexpy.limits import HTTP_ACTION_BODY_BYTES_MAX
from convexpy.protocol import http_frames
from convexpy.protocol.app_description import CorsDescription
from convexpy.protocol.http_frames import HttpCall, HttpReply, cors_headers
from convexpy.sandbox.running_action import RunningAction

if TYPE_CHECKING:
    from starlette.responses import Response

PART_BYTES = 256 * 1024
TEXT = (b"content-type", b"text/plain; charset=utf-8")
NO_ROUTE = HttpReply(404, [TEXT], b"No matching routes found")
NOT_ENABLED = HttpReply(404, [TEXT], b"This Convex deployment does not have HTTP actions enabled.")


def _scope(call: HttpCall) -> dict[str, Any]:
    host, _, port = call.host.rpartition(":")
    server = (
        (host, int(port)) if host and port.isdecimal() else (call.host, 443 if call.scheme == "https" else 80)
    )
    return {
        "type": "http",
        # From 2.4 on responses do not read on to notice a client that went away: `_send_response` ends them.
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": call.scheme,
        "path": call.path,
        "raw_path": call.raw_path or quote(call.path).encode(),
        "query_string": call.query,
        "root_path": "",
        "headers": call.headers,
        "client": (call.client, 0),
        "server": server,
    }


class _Body:
    """The body of a request: there already, or asked for part by part."""

    def __init__(self, call: HttpCall, server: RunningAction) -> None:
        self._whole: bytes | None = None if call.more_body else call.body
        self._more = call.more_body
        self._server = server

    async def receive(self) -> dict[str, Any]:
        """Return the next ASGI message."""
        if self._whole is not None:
            body, self._whole = self._whole, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._more:
            await self._server.gone.wait()
            return {"type": "http.disconnect"}
        part = http_frames.decode_part(await self._server.ask_raw(http_frames.RECEIVE))
        self._more = part.more
        return {"type": "http.request", "body": part.data, "more_body": part.more}


class _Reply:
    """What a response sends: kept if it comes in one piece, else passed on part by part."""

    def __init__(self, path: str, server: RunningAction, added: list[tuple[bytes, bytes]]) -> None:
        self._path = path
        self._server = server
        self._added = added
        self._status = 200
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = 0
        self._streaming = False
        self._body = b""

    async def send(self, message: Any) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [*((bytes(key), bytes(value)) for key, value in message["headers"]), *self._added]
        elif message["type"] == "http.response.body":
            await self._part(bytes(message.get("body", b"")), bool(message.get("more_body")))

    async def _part(self, part: bytes, more: bool) -> None:
        self._size += len(part)
        if self._size > HTTP_ACTION_BODY_BYTES_MAX:
            raise LimitExceeded(
                f"the response of {self._path} is larger than the limit http_body_bytes: {HTTP_ACTION_BODY_BYTES_MAX}",
                limit="http_body_bytes",
            )
        if not self._streaming and not more and len(part) <= PART_BYTES:
            self._body = part
            return
        if not self._streaming:
            self._streaming = True
            first, part = (
                HttpReply(self._status, self._headers, part[:PART_BYTES], streamed=True),
                part[PART_BYTES:],
            )
            await self._server.ask_raw(http_frames.START, http_frames.encode(first))
        for start in range(0, len(part), PART_BYTES):
            await self._server.ask_raw(http_frames.SEND, part[start : start + PART_BYTES])

    def finished(self) -> HttpReply:
        """Return the response; of a streamed one, only that it has ended."""
        if self._streaming:
            return HttpReply(self._status, [], b"", streamed=True)
        return HttpReply(self._status, self._headers, self._body)


def _header(call: HttpCall, name: bytes) -> bytes | None:
    return next((value for key, value in call.headers if key == name), None)


def _preflight(router: HttpRouter, rule: CorsDescription, call: HttpCall) -> HttpReply:
    allowed = cors_headers(rule.origins, _header(call, b"origin"))
    if not allowed:
        return HttpReply(403, [TEXT], b"This origin is not allowed")
    methods = sorted(
        {route.method for route in router.routes if router.match(route.method, call.path) is route}
    )
    headers = [
        *allowed,
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ", ".join(rule.headers).encode()),
        (b"access-control-max-age", str(rule.max_age_s).encode()),
    ]
    return HttpReply(204, headers, b"")


async def respond(
    router: HttpRouter | None, ctx: ActionCtx, call: HttpCall, server: RunningAction
) -> HttpReply:
    """Answer a request: with the route's handler, a preflight of a CORS rule, or 404."""
    if router is None:
        return NOT_ENABLED
    rule = router.cors_for(call.path)
    route = router.match(call.method, call.path)
    added = [] if rule is None else cors_headers(rule.origins, _header(call, b"origin"))
    if route is None:
        asks = _header(call, b"access-control-request-method") is not None
        if call.method == "OPTIONS" and rule is not None and asks:
            return _preflight(router, rule, call)
        return HttpReply(NO_ROUTE.status, [*NO_ROUTE.headers, *added], NO_ROUTE.body)
    scope, body = _scope(call), _Body(call, server)
    response: Response = await route.handler(ctx, _request_class()(scope, body.receive, server.gone))
    reply = _Reply(call.path, server, added)
    await _send_response(response, scope, body, reply, server.gone)
    return reply.finished()


async def _send_response(
    response: Response, scope: dict[str, Any], body: _Body, reply: _Reply, gone: asyncio.Event
) -> None:
    """Send a response; one that is made while it is sent ends when its client has gone away."""
    from starlette.responses import Response

    if type(response).__call__ is Response.__call__:
        await response(scope, body.receive, reply.send)
        return
    loop = asyncio.get_running_loop()
    sending = loop.create_task(response(scope, body.receive, reply.send))
    watching = loop.create_task(gone.wait())
    try:
        await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not gone.is_set():
            sending.result()
    finally:
        watching.cancel()
        sending.cancel()
        await asyncio.wait({sending})
        if not sending.cancelled():
            sending.exception()  # nobody gets what is still made, and a failure to send it is not a failure of the app
        await _close(response)


async def _close(response: Response) -> None:
    """Close what a response is made of, where it stands: its `finally` blocks run now, not when memory is cleaned up."""
    close = getattr(getattr(response, "body_iterator", None), "aclose", None)
    if close is not None:
        await close()


@functools.cache
def _request_class() -> type[Any]:
    from starlette.datastructures import URL
    from starlette.requests import Request

    class SentUrl(URL):
        """The URL as the client sent it; `path` is decoded, as Starlette's."""

        def __init__(self, url: str, path: str) -> None:
            super().__init__(url)
            self._path = path

        @property
        def path(self) -> str:
            """The decoded path."""
            return self._path

    class ActionRequest(Request):
        """A request that knows of its client without reading the body."""

        def __init__(self, scope: dict[str, Any], receive: Any, gone: asyncio.Event) -> None:
            super().__init__(scope, receive)
            self._gone = gone

        @property
        def url(self) -> URL:
            """The URL as the client sent it: signatures are made of the escapes, too."""
            if not hasattr(self, "_url"):
                scope = self.scope
                query = scope["query_string"].decode("latin-1")
                path = scope["raw_path"].decode("latin-1")
                base = f"{scope['scheme']}://{self.headers.get('host', 'localhost')}"
                self._url = SentUrl(f"{base}{path}{'?' if query else ''}{query}", scope["path"])
            return self._url

        async def is_disconnected(self) -> bool:
            """Say whether the client has gone away."""
            await asyncio.sleep(0)  # lets the news in
            return self._gone.is_set()

    return ActionRequest
