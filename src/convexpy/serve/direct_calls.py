"""uvicorn's protocol, which passes direct calls (`http/direct_calls.py`) from the parser to the function without ASGI."""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from convexpy.http.direct_calls import DirectCalls
from convexpy.http.messages import Response
from convexpy.protocol.frames import Kind
from convexpy.serve.one_write import OneWriteProtocol

_RESPONSE = b"%s%scontent-length: %d\r\n%s\r\n%s"
_CLOSE = b"connection: close\r\n"


class _NobodyWaits:
    def set(self) -> None:
        """Wake nobody."""


class DirectCall:
    """Takes the place of uvicorn's `RequestResponseCycle`, with the attributes that uvicorn reads."""

    message_event = _NobodyWaits()
    response_started = False

    def __init__(self, protocol: DirectCallProtocol, kind: Kind) -> None:
        self._protocol = protocol
        self.kind: Kind = kind
        self.body = bytearray()
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    def respond(self, response: Response) -> None:
        """Write the response, unless the client has gone."""
        if self.disconnected:
            return
        headers = b"".join([b"%s: %s\r\n" % header for header in response.headers])
        body = response.body
        self.response_complete = True
        protocol = self._protocol
        close = b"" if self.keep_alive else _CLOSE
        protocol.transport.write(_RESPONSE % (STATUS_LINE[response.status], headers, len(body), close, body))
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


class DirectCallProtocol(OneWriteProtocol):
    """Runs direct calls itself and leaves the others to uvicorn."""

    def __init__(self, *arguments: Any, direct: DirectCalls | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._direct = direct

    def on_headers_complete(self) -> None:
        """Recognize a direct call (called by the parser)."""
        direct, cycle, parser = self._direct, cast("Any", self.cycle), cast("Any", self.parser)
        if direct is not None and (cycle is None or cycle.response_complete):
            kind = direct.kind(parser.get_method(), self.url, self.headers)
            if kind is not None and parser.get_http_version() == "1.1":
                self.cycle = cast("RequestResponseCycle", DirectCall(self, kind))
                return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin a direct call, whose body is complete (called by the parser)."""
        super().on_message_complete()
        call: object = self.cycle
        if self._direct is not None and isinstance(call, DirectCall) and not call.response_complete:
            address = self.client[0] if self.client else None
            self._direct.begin(call.kind, self.headers, bytes(call.body), address, call.respond)
