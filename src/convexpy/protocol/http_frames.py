"""Requests to HTTP actions and their responses, as they travel to and from an executor (msgpack).

What is small and whole travels in the call and its result. A larger request body is asked for piece by piece, and a
streamed response is sent piece by piece; each piece is answered when the client has taken it, so neither side runs ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

RECEIVE = "http_receive"
"""Asks for the next `BodyPart` of the request; no payload."""
START = "http_start"
"""Begins a streamed response; the payload is an `HttpReply` with the first part as body."""
SEND = "http_send"
"""Sends a further part of the response; the payload is the part as it is."""


class HttpCall(msgspec.Struct, array_like=True, frozen=True):
    """A request to an HTTP action; `scheme` and `host` are those that the client sees.

    With `more_body`, `body` is empty and the parts are to be asked for. `path` is decoded, `raw_path` as it was sent.
    """

    method: str
    scheme: str
    host: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client: str
    more_body: bool = False
    raw_path: bytes = b""


class HttpReply(msgspec.Struct, array_like=True, frozen=True):
    """The response of an HTTP action, or the beginning of one; `streamed` says that it was sent in parts."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    streamed: bool = False


class BodyPart(msgspec.Struct, array_like=True, frozen=True):
    """A part of a request's body."""

    data: bytes
    more: bool


def cors_headers(origins: Iterable[str], origin: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return what a CORS rule adds to every response, errors included, for pages of an origin that it names."""
    if origin is None or not any(each == "*" or each.encode() == origin for each in origins):
        return []
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]


encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
"""Returns a message as bytes."""
decode_call: Callable[[bytes], HttpCall] = msgspec.msgpack.Decoder(HttpCall).decode
decode_reply: Callable[[bytes], HttpReply] = msgspec.msgpack.Decoder(HttpReply).decode
decode_part: Callable[[bytes], BodyPart] = msgspec.msgpack.Decoder(BodyPart).decode
