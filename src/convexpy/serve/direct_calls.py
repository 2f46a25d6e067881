"""uvicorn's protocol, which passes direct calls (`http/direct_calls.py`) from the parser to the function without ASGI.

A request whose head has been parsed before, byte for byte, does not even take the parser.
"""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from convexpy.http.direct_calls import DirectCall, DirectCalls, DirectHead
from convexpy.http.running import RunningRequests
from convexpy.serve.one_write import OneWriteProtocol

_RESPONSE = b"%s%scontent-length: %d\r\n%s\r\n%s"
_CLOSE = b"connection: close\r\n"


class _NobodyWaits:
    def set(self) -> None:
        """Wake nobody."""


class ConnectionCall(DirectCall):
    """Takes the place of uvicorn's `RequestResponseCycle`, with the attributes that uvicorn reads."""

    message_event: _NobodyWaits = _NobodyWaits()
    response_started = False
    more_body = True
    keep_alive = True
    disconnected = False

    def __init__(self, protocol: DirectCallProtocol, head: DirectHead, running: RunningRequests) -> None:
        super().__init__(head, running)
        self._protocol = protocol
        self.body = b""

    def write(self, status: int, headers: bytes, body: bytes) -> None:
        """Write the response, unless the client has gone."""
        if self.disconnected:
            return
        protocol = self._protocol
        close = b"" if self.keep_alive else _CLOSE
        protocol.raw.write(_RESPONSE % (STATUS_LINE[status], headers, len(body), close, body))
        if self.keep_alive and not protocol.pipeline:
            protocol.rest()
        else:
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()


class DirectCallProtocol(OneWriteProtocol):
    """Runs direct calls itself and leaves the others to uvicorn."""

    cycle: RequestResponseCycle

    def __init__(self, *arguments: Any, direct: DirectCalls | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._direct = direct
        self._is_between = True
        """Whether the parser is between two requests."""
        self._rests_since = 0.0

    def begin_known(self, data: bytes) -> bool:
        """Begin the call that these bytes are, whole and alone, if their head is known."""
        direct, cycle = self._direct, cast("RequestResponseCycle | None", self.cycle)
        if direct is None or not self._is_between or (cycle is not None and not cycle.response_complete):
            return False
        found = direct.known(data)
        if found is None:
            return False
        head, body = found
        call = ConnectionCall(self, head, direct.running)
        self.cycle = cast("RequestResponseCycle", call)
        direct.begin(call, body, self.client[0] if self.client else None)
        return True

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request (called by asyncio)."""
        was_between, before = self._is_between, self.cycle
        super().data_received(data)
        call: object = self.cycle
        if was_between and call is not before and isinstance(call, DirectCall) and self._direct is not None:
            self._direct.learn(data, call.head)

    def on_message_begin(self) -> None:
        """Begin a request (called by the parser)."""
        self._is_between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Recognize a direct call (called by the parser)."""
        direct, cycle, parser = self._direct, cast("Any", self.cycle), cast("Any", self.parser)
        if direct is not None and (cycle is None or cycle.response_complete):
            head = direct.head(parser.get_method(), self.url, self.headers)
            if head is not None and parser.get_http_version() == "1.1":
                self.cycle = cast("RequestResponseCycle", ConnectionCall(self, head, direct.running))
                return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin a direct call, whose body is complete (called by the parser)."""
        self._is_between = True
        super().on_message_complete()
        call: object = self.cycle
        if self._direct is not None and isinstance(call, ConnectionCall) and not call.response_complete:
            self._direct.begin(call, bytes(call.body), self.client[0] if self.client else None)

    def rest(self) -> None:
        """Wait for the next request. One timer that moves on: one for each response would cost more than it."""
        self._rests_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_after(self.timeout_keep_alive)

    def _close_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._close_if_resting)

    def _close_if_resting(self) -> None:
        self.timeout_keep_alive_task = None
        if not self._is_between or not self.cycle.response_complete:
            return  # the response to what has come will have it looked at again
        rest_s = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if rest_s > 0:
            self._close_after(rest_s)
        else:
            self.timeout_keep_alive_handler()
