"""HTTP connections within bounds: how large a request's head is, how long a client may take, how many it opens.

uvicorn's parser takes a head of any size and waits for it for ever. Here a head is measured while it comes, one timer for
each connection looks whether its client goes on, and connections are counted by address.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from convexpy.http.site import WHEN_GONE
from convexpy.limits import (
    HTTP_BODY_STALL_S,
    HTTP_DISCARDED_BYTES_MAX,
    HTTP_HEAD_BYTES_MAX,
    HTTP_HEAD_WITHIN_S,
    HTTP_HEADERS_MAX,
    HTTP_RESPONSE_STALL_S,
    HTTP_URL_BYTES_MAX,
)
from convexpy.serve.direct_calls import DirectCallProtocol
from convexpy.serve.gate import Gate
from convexpy.serve.one_write import JoiningTransport

LOOK_EVERY_S = 10.0
_PHRASES = {408: b"Request Timeout", 414: b"URI Too Long", 431: b"Request Header Fields Too Large"}


class ConnectionCounter:
    """The open connections of each address; at most `per_address`, or any number if that is 0."""

    def __init__(self, per_address: int) -> None:
        self._max = per_address
        self._open: Counter[str] = Counter()

    def opened(self, address: str) -> bool:
        """Count a connection; False if it is one too many, and is not counted."""
        if self._max and self._open[address] >= self._max:
            return False
        self._open[address] += 1
        return True

    def closed(self, address: str) -> None:
        """Count the end of one that was counted."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


class _HeadRefused(Exception):
    """Ends the parsing of a head."""


class BoundedProtocol(DirectCallProtocol):
    """uvicorn's protocol with bounds."""

    def __init__(
        self, *arguments: Any, counter: ConnectionCounter, gate: Gate | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._counter = counter
        self._gate = gate
        self._counted = False
        self._refusal: tuple[int, str] | None = None
        self._in_body = self._closes_after_body = False
        self._head_since: float | None = None
        """When the head began that is not complete yet; None while none is expected."""
        self._head_bytes = self._piece_bytes = self._discarded = 0
        self._data_at = 0.0
        self._unsent, self._unsent_since = 0, 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._watching: list[Callable[[], None]] = []
        self._extensions: Any = {WHEN_GONE: self._watch}

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin to look after it."""
        super().connection_made(transport)
        self._counted = self._counter.opened(self._address)
        if not self._counted:
            self.transport.abort()
            return
        cast("JoiningTransport", self.transport).lingers = self._lingers
        self._data_at = self._head_since = self._unsent_since = self.loop.time()
        self._timer = self.loop.call_later(LOOK_EVERY_S, self._look)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the request."""
        if self._gate is not None and not self._gate.passes(self, data):
            return
        if self.begin_known(data):
            self._head_since = None
            return
        now = self._data_at = self.loop.time()
        if self._head_since is None and not self._in_body:
            self._head_since = now
        self._piece_bytes = len(data)
        super().data_received(data)
        if self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HTTP_HEAD_BYTES_MAX:
                self._answer(431, _head_text())

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking, and tell those who watch."""
        self._release()
        super().connection_lost(exc)
        for gone in list(self._watching):
            gone()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self._unsent = 0
        super().resume_writing()

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._head_since, self._head_bytes = self._data_at, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large; else a body may follow."""
        if len(self.url) > HTTP_URL_BYTES_MAX:
            self._refuse(
                414,
                f"the URL is longer than {HTTP_URL_BYTES_MAX} bytes: use POST, with the arguments in the body",
            )
        if len(self.headers) > HTTP_HEADERS_MAX:
            self._refuse(431, f"the request has more than {HTTP_HEADERS_MAX} headers")
        if self._head_bytes + self._piece_bytes > HTTP_HEAD_BYTES_MAX:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HTTP_HEAD_BYTES_MAX:
                self._refuse(431, _head_text())
        self._head_since, self._in_body, self._discarded = None, True, 0
        self.scope["extensions"] = self._extensions
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; of what nobody reads any more, only so much."""
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > HTTP_DISCARDED_BYTES_MAX:
                self._close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body = False
        super().on_message_complete()
        if self._closes_after_body:
            self.transport.close()

    # Called by uvicorn's protocol

    def shutdown(self) -> None:
        """Close as the server stops, whatever a client still sends that was answered."""
        if self._closes_after_body:
            self._in_body = False
        super().shutdown()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, with its place in the count."""
        if self._timer is not None:
            self._timer.cancel()
        self._head_since = None
        super().handle_websocket_upgrade()
        self._extensions.clear()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, or was refused while it was parsed."""
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self._answer(*self._refusal)

    # Bounds

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _watch(self, gone: Callable[[], None]) -> Callable[[], None]:
        """Have `gone` called when the connection ends; return what ends that."""
        self._watching.append(gone)
        if self.transport.is_closing():
            gone()
        return lambda: self._watching.remove(gone)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._counted:
            self._counted = False
            self._counter.closed(self._address)

    def _refuse(self, status: int, text: str) -> None:
        self._refusal = (status, text)
        raise _HeadRefused

    def _answer(self, status: int, text: str) -> None:
        """Send an answer without the application, and close; only close where another response is on its way."""
        self._head_since = None
        if self.transport.is_closing():
            return
        if not self.cycle or self.cycle.response_complete or not self.cycle.response_started:
            code = _PHRASES[status].title().replace(b" ", b"").decode()
            body = json.dumps({"code": code, "message": text}).encode()
            head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (status, _PHRASES[status], len(body)) + body)
        self._close()

    def _close(self) -> None:
        """Close without waiting for the rest of a body."""
        self._in_body = False
        self.transport.close()

    def _lingers(self) -> bool:
        """Put off closing until the body that the client still sends has come, or is too long or too slow."""
        self._closes_after_body = self._in_body
        return self._in_body

    def _look(self) -> None:
        """Look whether the client goes on with what it has begun."""
        now = self.loop.time()
        self._timer = self.loop.call_later(LOOK_EVERY_S, self._look)
        if self._head_since is not None and now - self._head_since > HTTP_HEAD_WITHIN_S:
            self._answer(408, f"the head of the request did not come within {HTTP_HEAD_WITHIN_S:g} s")
        elif self._in_body and self.flow.read_paused:
            self._data_at = now  # it is the application that does not take more
        elif self._in_body and now - self._data_at > HTTP_BODY_STALL_S:
            self._answer(408, f"nothing of the body came for {HTTP_BODY_STALL_S:g} s")
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > HTTP_RESPONSE_STALL_S:
            self.transport.abort()


def _head_text() -> str:
    return f"URL and headers of the request are larger than {HTTP_HEAD_BYTES_MAX} bytes"
