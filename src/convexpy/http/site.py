"""The site origin: the app's HTTP actions. CORS is the app's own business here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from convexpy.engine.http_actions import HttpActions
from convexpy.engine.identities import Identities
from convexpy.errors import RequestError
from convexpy.http.identify import caller_of_http_action
from convexpy.http.messages import HttpRequest, Receive, Scope, Send, error_response
from convexpy.http.running import RunningRequests, refusal, within_share
from convexpy.limits import HTTP_ACTION_BODY_BYTES_MAX
from convexpy.protocol.http_frames import BodyPart, HttpCall, HttpReply

WHOLE_BYTES_MAX = 64 * 1024
"""A body of this size travels with the call; a larger one part by part, as the app reads it."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
BODILESS = (204, 304)
"""Responses that end with their head: a client would take a body for the next response."""
WHEN_GONE = "convexpy.when_gone"
"""The ASGI extension that tells of the end of a request's connection while nobody waits in `receive`."""
Watch = Callable[[Callable[[], None]], Callable[[], None]]


class _Connection:
    """One request's connection, as the running app uses it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, head: bool) -> None:
        self._watch: Watch | None = (scope.get("extensions") or {}).get(WHEN_GONE)
        self._gone = self._finished = False
        self._end_stream: Callable[[], None] = lambda: None
        self._receive = receive
        self._send = send
        self._bodiless = head
        self._size = 0
        self._read = False
        self.started = False
        self.too_large = False

    def when_gone(self, gone: Callable[[], None]) -> Callable[[], None]:
        """Have `gone` called when the client goes away; return what ends that."""

        def called() -> None:
            self._gone = True
            gone()

        self._end_stream = called
        return (lambda: None) if self._watch is None else self._watch(called)

    async def receive(self) -> BodyPart:
        """Return the next part of the body."""
        if self._read:
            return BodyPart(b"", more=False)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away")
        part: bytes = message.get("body", b"")
        more = bool(message.get("more_body"))
        self._read = not more
        self._size += len(part)
        if self._size > HTTP_ACTION_BODY_BYTES_MAX:
            self.too_large = True
            raise _too_large()
        return BodyPart(part, more)

    async def whole(self) -> bytes:
        """Return the whole body, which is known to be small."""
        parts: list[bytes] = []
        while True:
            part = await self.receive()
            parts.append(part.data)
            if not part.more:
                return b"".join(parts)

    async def start(self, reply: HttpReply) -> None:
        """Send status, headers and the first part."""
        self._check_there()
        self.started = True
        without_body = reply.status in BODILESS
        self._bodiless = self._bodiless or without_body
        headers = [(key, value) for key, value in reply.headers if _may_send(key, streamed=not without_body)]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if self._bodiless:
            # The client has all that it gets: for the stream it has gone.
            await self.finish(reply)
            self._end_stream()
        await self.send(reply.body)

    async def send(self, part: bytes) -> None:
        """Send a part; waits while the client does not read."""
        if not self._bodiless:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        self._check_there()

    def _check_there(self) -> None:
        if self._gone:
            raise ConnectionResetError("the client went away")

    async def finish(self, reply: HttpReply) -> None:
        """Send a response that is whole, or the end of a streamed one."""
        if self._finished:
            return
        self._finished = True
        if not self.started:
            headers = [(key, value) for key, value in reply.headers if _may_send(key, streamed=False)]
            if reply.status in BODILESS:
                self._bodiless = True
            else:
                headers.append((b"content-length", b"%d" % len(reply.body)))
            await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if self._bodiless else reply.body
        await self._send({"type": "http.response.body", "body": body})


class SiteApp:
    """The ASGI application of HTTP actions."""

    def __init__(
        self,
        *,
        http_actions: HttpActions,
        identities: Identities,
        running: RunningRequests,
        prefix: str = "",
    ) -> None:
        self._http_actions = http_actions
        self._identities = identities
        self._running = running
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (called by the ASGI server, or by the API origin for `/http/`)."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 4004, "reason": "no sockets here"})
            return
        task = self._running.begin()
        try:
            await self._respond(scope, receive, send)
        finally:
            self._running.end(task)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive, HTTP_ACTION_BODY_BYTES_MAX)
        connection = _Connection(scope, receive, send, head=request.method == "HEAD")
        try:
            reply = await self._reply(request, connection)
        except (RequestError, asyncio.CancelledError) as error:
            if not isinstance(error, RequestError):
                if not self._running.cut:
                    raise
                if connection.started:
                    return  # in the middle of a response: the connection ends
                error = refusal()
            response = error_response(error)
            cors = self._http_actions.cors_headers(
                request.path.removeprefix(self._prefix), request.headers.get(b"origin")
            )
            reply = HttpReply(response.status, [*response.headers, *cors], response.body)
        except OSError:
            return
        if not connection.started or reply.streamed:
            await connection.finish(reply)
        # Else it failed with half of the response sent: the connection is cut, so that nobody takes it for the whole.

    async def _reply(self, request: HttpRequest, connection: _Connection) -> HttpReply:
        if request.method not in METHODS:
            raise RequestError(
                f"{request.method} is not a method of HTTP actions", status=405, code="MethodNotAllowed"
            )
        body, more = await self._body(request, connection)
        call = HttpCall(
            request.method,
            str(request.scope.get("scheme") or "http"),
            request.header(b"host") or "localhost",
            request.path.removeprefix(self._prefix),
            request.scope["query_string"],
            [(bytes(key), bytes(value)) for key, value in request.scope["headers"]],
            body,
            request.client_address or "",
            more,
            self._raw_path(request),
        )
        caller = await caller_of_http_action(self._identities, request)
        with within_share(self._running.shares, request.client_address):
            reply = await self._http_actions.respond(call, connection, caller)
        if connection.too_large and not connection.started and reply.status == 500:
            raise _too_large()
        return reply

    def _raw_path(self, request: HttpRequest) -> bytes:
        """Return the path as it was sent, without the prefix."""
        raw: bytes = request.scope.get("raw_path") or quote(request.path).encode()
        prefix = self._prefix.encode()
        if prefix and not raw.startswith(prefix + b"/"):
            return quote(request.path.removeprefix(self._prefix)).encode()  # the prefix itself was escaped
        return raw.removeprefix(prefix)

    async def _body(self, request: HttpRequest, connection: _Connection) -> tuple[bytes, bool]:
        """Return the body if it is small, else that there is more to ask for."""
        if request.method in WITHOUT_BODY:
            return b"", False
        length = request.header(b"content-length")
        chunked = request.header(b"transfer-encoding") is not None
        if length is None and not chunked:
            return b"", False
        if length is not None and length.isdecimal() and int(length) > HTTP_ACTION_BODY_BYTES_MAX:
            raise _too_large()
        if chunked or length is None or int(length) > WHOLE_BYTES_MAX:
            return b"", True
        return await connection.whole(), False


def _may_send(name: bytes, *, streamed: bool) -> bool:
    """Say whether a header of the app is sent: how the body travels is the server's business."""
    lower = name.lower()
    return lower != b"transfer-encoding" and (streamed or lower != b"content-length")


def _too_large() -> RequestError:
    return RequestError(
        f"the body is larger than {HTTP_ACTION_BODY_BYTES_MAX} bytes", status=413, code="RequestBodyTooLarge"
    )
