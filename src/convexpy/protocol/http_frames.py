"""Requests to HTTP actions and their responses, as they travel to and from an executor (msgpack)."""

from __future__ import annotations

import msgspec


class HttpCall(msgspec.Struct, array_like=True, frozen=True):
    """A request to an HTTP action; `scheme` and `host` are those that the client sees."""

    method: str
    scheme: str
    host: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client: str


class HttpReply(msgspec.Struct, array_like=True, frozen=True):
    """The response of an HTTP action."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_calls = msgspec.msgpack.Decoder(HttpCall)
_replies = msgspec.msgpack.Decoder(HttpReply)


def encode(message: HttpCall | HttpReply) -> bytes:
    """Return the message as bytes."""
    return _encoder.encode(message)


def decode_call(data: bytes) -> HttpCall:
    """Return the request that `encode` wrote."""
    return _calls.decode(data)


def decode_reply(data: bytes) -> HttpReply:
    """Return the response that `encode` wrote."""
    return _replies.decode(data)
