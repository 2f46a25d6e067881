"""What a replay record keeps of a mutation, and who may have it.

A session repeats its requests after a reconnect; one that has run before is answered with its stored outcome. Session and
request ids are chosen by clients, so the record names caller, function and arguments by a digest: anybody else's
request with the same ids is an error, and never gets the outcome.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b

import msgspec

from convexpy.errors import ConvexError
from convexpy.protocol.frames import Call, LogLine

DIGEST_BYTES = 16
_decode_json = msgspec.json.Decoder().decode


class RequestMismatch(ConvexError):
    """A request has the session and request id of another one. Its data reaches the client, in production too."""

    def __init__(self, request: int) -> None:
        super().__init__(
            {
                "code": "RequestMismatch",
                "message": f"request {request} of this session was made before, by another caller or with another "
                "function or arguments; connect with a new session id and send it again",
            }
        )


class Stored(msgspec.Struct, array_like=True):
    """The outcome of a successful mutation. `seed` is where its random numbers came from."""

    value: bytes
    logs: list[LogLine]
    digest: bytes = b""
    seed: bytes = b""


def digest_of(call: Call) -> bytes:
    """Return the digest of caller, function and arguments.

    The caller is the user, however often the token is renewed, and the admin key.
    """
    user = _decode_json(call.identity).get("tokenIdentifier", "") if call.identity else ""
    head = f"{len(user)} {len(call.key)} {len(call.path)} {user}{call.key}{call.path}"
    return blake2b(head.encode(errors="surrogatepass") + call.args, digest_size=DIGEST_BYTES).digest()


def encode_stored(call: Call, value: bytes, logs: list[LogLine]) -> bytes:
    """Return what a replay record keeps."""
    return msgspec.msgpack.encode(Stored(value, logs, digest_of(call), call.seed))


def decode_stored(call: Call, stored: bytes) -> Stored:
    """Return the outcome that answers this call.

    Raises:
        RequestMismatch: it is the outcome of another caller, function or arguments.
    """
    found = msgspec.msgpack.decode(stored, type=Stored)
    if not hmac.compare_digest(found.digest, digest_of(call)):
        raise RequestMismatch(call.request)
    return found
