"""HTTP actions from the server's side: a request in, the app's response out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from convexpy.access import ANONYMOUS, Caller
from convexpy.engine.call_log import CallLog
from convexpy.engine.outcome import Outcome, accepted_request_id, outcome_of
from convexpy.engine.versions import LiveVersion
from convexpy.errors import LimitExceeded, RequestError
from convexpy.limits import USER_AGENT_LENGTH_MAX
from convexpy.protocol import http_frames
from convexpy.protocol.app_description import cors_rule_for
from convexpy.protocol.frames import CLIENT_GONE, Call, CallFailure, Request
from convexpy.protocol.http_frames import BodyPart, HttpCall, HttpReply
from convexpy.runtime import Clock

JSON = (b"content-type", b"application/json")
NOT_ENABLED = HttpReply(
    404,
    [(b"content-type", b"text/plain; charset=utf-8")],
    b"This Convex deployment does not have HTTP actions enabled.",
)


class Exchange(Protocol):
    """The connection of a request. Its methods raise OSError when the client has gone away."""

    async def receive(self) -> BodyPart:
        """Return the next part of the body; LimitExceeded or RequestError if there is too much of it."""
        ...

    async def start(self, reply: HttpReply) -> None:
        """Begin a streamed response with its first part."""
        ...

    async def send(self, part: bytes) -> None:
        """Send a further part; returns when the client has room for more."""
        ...

    def when_gone(self, gone: Callable[[], None]) -> Callable[[], None]:
        """Have `gone` called when the client goes away; return what ends that."""
        ...


class Collecting:
    """An exchange without a connection: the whole body is given, the parts of the response are kept."""

    def __init__(self) -> None:
        self.reply: HttpReply | None = None
        self._parts: list[bytes] = []

    async def receive(self) -> BodyPart:
        """Return nothing: the body is in the call."""
        return BodyPart(b"", more=False)

    async def start(self, reply: HttpReply) -> None:
        """Keep the first part."""
        self.reply, self._parts = reply, [reply.body]

    async def send(self, part: bytes) -> None:
        """Keep a part."""
        self._parts.append(part)

    def when_gone(self, gone: Callable[[], None]) -> Callable[[], None]:
        """There is no client that could go away."""
        return lambda: None

    def whole(self, reply: HttpReply) -> HttpReply:
        """Return the response as if it had come in one piece."""
        first = self.reply
        return reply if first is None else HttpReply(first.status, first.headers, b"".join(self._parts))


class HttpActions:
    """Runs the app's HTTP actions."""

    def __init__(
        self, *, live: LiveVersion, log: CallLog, redact: bool, next_call: Callable[[], int], clock: Clock
    ) -> None:
        """With `redact` clients do not read why a handler failed."""
        self._live = live
        self._log = log
        self._redact = redact
        self._next_call = next_call
        self._clock = clock
        self._exchanges: dict[int, Exchange] = {}

    async def respond(self, request: HttpCall, exchange: Exchange, caller: Caller = ANONYMOUS) -> HttpReply:
        """Return the app's response, or the end of one that was streamed; a handler that fails is a 500."""
        if not self._live.registry.description.http:
            return NOT_ENABLED
        request_id = accepted_request_id(_header(request, b"convex-request-id"))
        name = f"{request.method} {request.path}"
        agent = _header(request, b"user-agent")
        call = Call(
            self._next_call(),
            "http",
            name,
            http_frames.encode(request),
            request_id,
            self._clock.now_ns() // 1_000_000,
            caller.claims or None,
            token_error=caller.token_error,
            client_address=request.client,
            user_agent=None if agent is None else agent[:USER_AGENT_LENGTH_MAX].decode("latin-1"),
        )
        self._exchanges[call.id] = exchange
        actions = self._live.actions
        stop_watching = exchange.when_gone(lambda: actions.client_gone(call.id))
        try:
            outcome = await outcome_of(lambda done: actions.submit(call, done))
        finally:
            stop_watching()
            del self._exchanges[call.id]
        reply = self._reply(outcome, request_id)
        if outcome.failure is not None:
            reply.headers.extend(self.cors_headers(request.path, _header(request, b"origin")))
        route = self._live.registry.route(request.method, request.path)
        self._log.http_end(name, route, request_id, outcome, reply.status, len(reply.body), caller)
        return reply

    def cors_headers(self, path: str, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return the CORS headers of a response that is not the app's: without them a page could not read why it failed."""
        if origin is None:
            return []
        rule = cors_rule_for(self._live.registry.description.cors, path)
        return [] if rule is None else http_frames.cors_headers(rule.origins, origin)

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Answer what a running HTTP action asks of its connection."""
        exchange = self._exchanges.get(call.id)
        gone = CallFailure(CLIENT_GONE, "the client went away", function=call.path)
        if exchange is None:
            return b"", gone
        try:
            if request.operation == http_frames.RECEIVE:
                return http_frames.encode(await exchange.receive()), None
            if request.operation == http_frames.START:
                await exchange.start(http_frames.decode_reply(request.payload))
            else:
                await exchange.send(request.payload)
        except OSError:
            return b"", gone
        except RequestError as error:
            failure = CallFailure(
                LimitExceeded.default_code, error.message, limit="http_body_bytes", function=call.path
            )
            return b"", failure
        return b"", None

    def _reply(self, outcome: Outcome, request_id: str) -> HttpReply:
        failure = outcome.failure
        if failure is None:
            return http_frames.decode_reply(outcome.value)
        first = f"[Request ID: {request_id}] Server Error"
        body: dict[str, object] = {"code": first}
        if not self._redact:
            body = {"code": f"{first}: {failure.detail}", "trace": failure.traceback}
        if failure.data is not None:
            body["data"] = json.loads(failure.data)
        return HttpReply(500, [JSON], json.dumps(body).encode())


def _header(request: HttpCall, name: bytes) -> bytes | None:
    return next((value for key, value in request.headers if key == name), None)
