"""Messages of the sync WebSocket (`/api/{version}/sync`), as official clients send and expect them.

Client messages are decoded by type, unknown keys ignored. Server messages are built as JSON bytes, since results are
encoded once and spliced into the Transition of every client that subscribes to them.

Source: behaviour of get-convex/convex-backend crates/convex/sync_types and get-convex/convex-js src/browser/sync.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from convexpy.errors import RequestError
from convexpy.limits import FUNCTION_PATH_BYTES_MAX

U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
SessionId = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{8}-?([0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}$", max_length=36)
]
Path = Annotated[str, msgspec.Meta(max_length=FUNCTION_PATH_BYTES_MAX)]
Arguments = msgspec.Raw
"""A JSON array; `decode_client_message` looks at no more than that."""


class Connect(msgspec.Struct, tag_field="type", tag="Connect", rename="camel"):
    """First message on every socket."""

    session_id: SessionId
    connection_count: U32 = 0
    last_close_reason: str | None = None
    max_observed_timestamp: str | None = None
    client_ts: float | None = None


class Authenticate(msgspec.Struct, tag_field="type", tag="Authenticate", rename="camel"):
    """Changes who the connection acts for."""

    base_version: U32
    token_type: Literal["User", "Admin", "None"]
    value: str = ""
    impersonating: dict[str, Any] | None = None
    acting_as: dict[str, Any] | None = msgspec.field(default=None, name="acting_as")


class AddQuery(msgspec.Struct, tag_field="type", tag="Add", rename="camel"):
    """Subscribe to a query."""

    query_id: U32
    udf_path: Path
    args: Arguments = msgspec.Raw(b"[{}]")
    journal: str | None = None
    component_path: str | None = None


class RemoveQuery(msgspec.Struct, tag_field="type", tag="Remove", rename="camel"):
    """Drop a subscription."""

    query_id: U32


class ModifyQuerySet(msgspec.Struct, tag_field="type", tag="ModifyQuerySet", rename="camel"):
    """Changes which queries the connection subscribes to."""

    base_version: U32
    new_version: U32
    modifications: list[AddQuery | RemoveQuery] = []


class _Call(msgspec.Struct, tag_field="type", rename="camel"):
    request_id: U32
    udf_path: Path
    args: Arguments = msgspec.Raw(b"[{}]")
    component_path: str | None = None


class Mutation(_Call, tag="Mutation"):
    """Run a mutation; `request_id` counts per session and is the key of the replay."""


class Action(_Call, tag="Action"):
    """Run an action."""


class Event(msgspec.Struct, tag_field="type", tag="Event", rename="camel"):
    """Telemetry, never answered and never looked at."""


ClientMessage = Connect | Authenticate | ModifyQuerySet | Mutation | Action | Event
_decoder = msgspec.json.Decoder(ClientMessage)


def decode_client_message(data: bytes | str) -> ClientMessage:
    """Return the message.

    Raises:
        RequestError: it is not valid JSON, of an unknown type, or has a field of the wrong type or out of range.
    """
    try:
        message: ClientMessage = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _invalid(str(error)) from error
    if isinstance(message, _Call):
        _check_call(message)
    elif isinstance(message, ModifyQuerySet):
        for each in message.modifications:
            if isinstance(each, AddQuery):
                _check_call(each)
    return message


def _check_call(call: AddQuery | _Call) -> None:
    if bytes(memoryview(call.args)[:1]) != b"[":
        raise _invalid("Expected `array` - at `$.args`")
    if call.component_path:
        raise _invalid("this deployment has no components - at `$.componentPath`")


def _invalid(text: str) -> RequestError:
    return RequestError(f"received an invalid message: {text}", code="BadClientMessage")


def encode_ts(ts: int) -> str:
    """Return a u64 timestamp as base64 of eight little-endian bytes."""
    return _encoded_ts(ts).decode()


@functools.lru_cache(maxsize=256)
def _encoded_ts(ts: int) -> bytes:
    # Whoever is told of a commit is told the same.
    return base64.b64encode(ts.to_bytes(8, "little"))


def decode_ts(text: str) -> int:
    """Return the timestamp that `encode_ts` made.

    Raises:
        RequestError: not base64 of eight bytes, or above 2^63 - 1.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RequestError(f"malformed timestamp {text[:40]!r}", code="BadTimestamp") from error
    ts = int.from_bytes(raw, "little")
    if len(raw) != 8 or ts >= 2**63:
        raise RequestError(f"malformed timestamp {text[:40]!r}", code="BadTimestamp")
    return ts


class StateVersion(msgspec.Struct, frozen=True):
    """What a connection has been told: its query set, its identity, and the timestamp of all results."""

    query_set: int = 0
    identity: int = 0
    ts: int = 0

    def encode(self) -> bytes:
        """Return the JSON object of the wire."""
        return b'{"querySet":%d,"identity":%d,"ts":"%s"}' % (
            self.query_set,
            self.identity,
            _encoded_ts(self.ts),
        )


_encode = msgspec.json.Encoder().encode


def query_updated(value: bytes, log_lines: bytes, journal: str | None) -> bytes:
    """Return what a QueryUpdated holds beside its query id; shared by all subscribers of a result."""
    return b'"value":%s,"logLines":%s,"journal":%s}' % (value, log_lines, _encode(journal))


def query_failed(message: str, data: bytes | None, log_lines: bytes, journal: str | None) -> bytes:
    """Return what a QueryFailed holds beside its query id. `errorData` is there only for a ConvexError."""
    error_data = b"" if data is None else b',"errorData":%s' % data
    return b'"errorMessage":%s%s,"logLines":%s,"journal":%s}' % (
        _encode(message),
        error_data,
        log_lines,
        _encode(journal),
    )


def modification_head(kind: Literal["QueryUpdated", "QueryFailed"], query_id: int) -> bytes:
    """Return the beginning of a modification of a Transition, before what `query_updated` or `query_failed` returns."""
    return b'{"type":"%s","queryId":%d,' % (kind.encode(), query_id)


def query_removed(query_id: int) -> bytes:
    """Return the modification that confirms a Remove."""
    return b'{"type":"QueryRemoved","queryId":%d}' % query_id


def transition(
    start: StateVersion,
    end: StateVersion,
    modifications: Iterable[bytes],
    clocks: bytes = b"",
) -> bytes:
    """Return a whole Transition; `clocks` is what `clocks` returns, or nothing."""
    return b'{"type":"Transition","startVersion":%s,"endVersion":%s,"modifications":[%s]%s}' % (
        start.encode(),
        end.encode(),
        b",".join(modifications),
        clocks,
    )


def clocks(skew_ms: int | None, server_ts_ns: int) -> bytes:
    """Return what a Transition says of the clocks: clients plan the refresh of a token with it."""
    return b',"clientClockSkew":%s,"serverTs":%d' % (
        b"null" if skew_ms is None else b"%d" % skew_ms,
        server_ts_ns,
    )


def transition_chunks(message: bytes, chunk_bytes: int, transition_id: str) -> list[bytes]:
    """Cut a Transition into TransitionChunk messages, never inside a UTF-8 sequence."""
    pieces: list[str] = []
    position = 0
    while position < len(message):
        end = min(position + chunk_bytes, len(message))
        while end < len(message) and message[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(message[position:end].decode())
        position = end
    return [
        _encode(
            {
                "type": "TransitionChunk",
                "chunk": piece,
                "partNumber": number,
                "totalParts": len(pieces),
                "transitionId": transition_id,
            }
        )
        for number, piece in enumerate(pieces)
    ]


def mutation_response(request_id: int, value: bytes, ts: int, log_lines: bytes) -> bytes:
    """Return the answer to a mutation that committed at `ts`."""
    return (
        b'{"type":"MutationResponse","requestId":%d,"success":true,"result":%s,"ts":"%s","logLines":%s}'
        % (
            request_id,
            value,
            _encoded_ts(ts),
            log_lines,
        )
    )


def action_response(request_id: int, value: bytes, log_lines: bytes) -> bytes:
    """Return the answer to an action that succeeded."""
    return b'{"type":"ActionResponse","requestId":%d,"success":true,"result":%s,"logLines":%s}' % (
        request_id,
        value,
        log_lines,
    )


def failed_response(
    kind: Literal["MutationResponse", "ActionResponse"],
    request_id: int,
    message: str,
    data: bytes | None,
    log_lines: bytes,
) -> bytes:
    """Return the answer to a mutation or action that failed."""
    error_data = b"" if data is None else b',"errorData":%s' % data
    ts = b',"ts":null' if kind == "MutationResponse" else b""
    return b'{"type":"%s","requestId":%d,"success":false,"result":%s%s,"logLines":%s%s}' % (
        kind.encode(),
        request_id,
        _encode(message),
        error_data,
        log_lines,
        ts,
    )


def auth_error(message: str, base_version: int, *, update_attempted: bool) -> bytes:
    """Return an AuthError; `base_version` is the identity version before the failed Authenticate."""
    return _encode(
        {
            "type": "AuthError",
            "error": message,
            "baseVersion": base_version,
            "authUpdateAttempted": update_attempted,
        }
    )


def fatal_error(message: str) -> bytes:
    """Return a FatalError: only for violations of the protocol by the client, who then stops for ever."""
    return _encode({"type": "FatalError", "error": message})


PING = b'{"type":"Ping"}'
