"""Frames between the deployment server and its executors.

Format: 4 bytes little-endian length, then a msgpack array whose first element is the frame's tag. Many frames travel in
one read and in one write. The order of frames to an executor is the meaning of "snapshot": a call runs at the last row
before it in its stream (ARCHITECTURE.md, section 4).

Frames of an executor are input like any other: they are sized and decoded by type, never unpickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

import msgspec

FRAME_SIZE_BYTES_MAX = 256 * 1024 * 1024
SEED_BYTES = 16
"""Length of `Call.seed`."""

Kind = Literal["query", "mutation", "action", "http", "system"]
Breakpoints = Literal["on", "off", "full", "quit"]


class LogLine(msgspec.Struct, array_like=True, frozen=True):
    """One line that a function printed or logged; `timestamp_ms` is wall-clock milliseconds."""

    level: str
    text: str
    timestamp_ms: float
    truncated: bool = False


class CallFailure(msgspec.Struct, array_like=True, frozen=True):
    """Why a call failed.

    `detail` is what development clients read after the first line (class, message, user frames); `data` is the wire JSON
    of a `ConvexError`; `limit` names the limit that was passed, if one was; `lost` says that the executor died.
    """

    code: str
    detail: str
    data: bytes | None = None
    limit: str = ""
    function: str = ""
    traceback: str = ""
    lost: bool = False


REVOKED = "Revoked"
"""The code of an action that was taken back before it had begun."""
CLIENT_GONE = "ClientDisconnected"
"""The code of what an HTTP action asks about a client that has gone."""

# To an executor


class Row(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """A durable row of the log that another process made."""

    seq: int
    ts: int
    entry: bytes


class OwnCommit(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """The calls up to `last_call`, which this executor ran, are durable as row `seq`."""

    seq: int
    ts: int
    last_call: int


class DropSpeculation(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """Forget everything after the last durable row; results sent before this frame are void (they carry older epochs)."""

    epoch: int


class Accepted(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """A write set that the server has accepted and not yet made durable: handed over to a new mutation executor."""

    call: int
    writes: bytes
    max_creation_time: float


class CheckpointMoved(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """The checkpoint now covers every row up to `seq`."""

    seq: int


class Call(msgspec.Struct, array_like=True, tag=6, frozen=True):
    """Run a function.

    `args` is wire JSON of one object. `identity` is JSON of the caller's claims or None. `session` and `request` make a
    mutation repeatable after a reconnect. `journal` replays the page borders of a paginated query. `token_error` says why
    the token of an HTTP action's request is not valid: asking for the identity raises it. `job` is the id of the scheduled
    job, or of the cron job, that this call of a mutation is the run of: path and arguments are those of its document.
    `parent_job` is the id of the job on whose behalf the call is made: if that is canceled, nothing it schedules is run.
    `seed` is where the call's random numbers come from: drawn by the server, and the same when the call is run again;
    empty means that the executor draws one. `key` names the admin key that the call was made with, if any.
    `rewind` is what has changed since an earlier moment, for a query as of it, encoded.
    `beside` says that a mutation runs beside the others, on durable commits: it reports what it read, and its writes are
    not kept here, for the server has yet to see whether they may be committed.
    `breakpoints` says what `breakpoint()` does: where a debugger is had, it stops, is passed over (`full`: with a word of
    it in the log, for many calls stand still already) or ends the call.
    """

    id: int
    kind: Kind
    path: str
    args: bytes
    request_id: str
    now_ms: int
    identity: bytes | None = None
    session: str = ""
    request: int = 0
    journal: str | None = None
    client_address: str | None = None
    user_agent: str | None = None
    token_error: str = ""
    job: str = ""
    parent_job: str = ""
    breakpoints: Breakpoints = "on"
    seed: bytes = b""
    key: str = ""
    rewind: bytes = b""
    beside: bool = False


class Answer(msgspec.Struct, array_like=True, tag=7, frozen=True):
    """The server's answer to a `Request` of an action. `value` is wire JSON."""

    call: int
    request: int
    value: bytes
    failure: CallFailure | None = None


class CancelCall(msgspec.Struct, array_like=True, tag=8, frozen=True):
    """Cancel an action; it ends with an error that says `reason`."""

    id: int
    reason: str
    limit: str = ""


class Stop(msgspec.Struct, array_like=True, tag=9, frozen=True):
    """Finish and exit."""


class ClientGone(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """The client of an HTTP action has gone away: what is streamed to it ends. The handler itself goes on."""

    call: int


# From an executor


class Ready(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """The app is loaded and the checkpoint is open."""

    pid: int


class Result(msgspec.Struct, array_like=True, tag=21, frozen=True):
    """How a call ended.

    `value` is wire JSON of the result. `reads` is the read set, [index, lower, upper or nil] each; `reads_call` says that
    what belongs to this call alone was read, too: its time, random numbers, client or limits. `writes` is the encoded
    transaction, empty if nothing was written. `replayed_seq` is set when a mutation had run before: the row that holds
    it, or -1 while that row is not durable. `violations` names documents written that do not fit the schema of a pending push.
    """

    call: int
    epoch: int
    value: bytes
    failure: CallFailure | None
    logs: list[LogLine]
    reads: list[tuple[int, bytes, bytes | None]]
    reads_identity: bool
    reads_call: bool
    writes: bytes
    max_creation_time: float
    journal: str | None
    seconds: float
    documents_read: int
    documents_written: int
    bytes_read: int
    bytes_written: int
    replayed_seq: int | None = None
    replayed_ts: int = 0
    violations: list[str] = []


def ended_action(call: int, value: bytes, failure: CallFailure | None, seconds: float = 0.0) -> Result:
    """Return the result of an action: it has no reads and writes of its own."""
    return Result(
        call=call,
        epoch=0,
        value=value,
        failure=failure,
        logs=[],
        reads=[],
        reads_identity=False,
        reads_call=False,
        writes=b"",
        max_creation_time=0.0,
        journal=None,
        seconds=seconds,
        documents_read=0,
        documents_written=0,
        bytes_read=0,
        bytes_written=0,
    )


class Request(msgspec.Struct, array_like=True, tag=22, frozen=True):
    """Something that an action asks of the server; `payload` is wire JSON of one object."""

    call: int
    request: int
    operation: str
    payload: bytes


class Progress(msgspec.Struct, array_like=True, tag=23, frozen=True):
    """Log lines of an action that is still running."""

    call: int
    logs: list[LogLine]


class Paused(msgspec.Struct, array_like=True, tag=24, frozen=True):
    """A call stands in a debugger, or goes on. With `blocking`, all other actions of the executor stand still with it."""

    call: int
    paused: bool
    blocking: bool


NO_DATABASE = "the database does not answer"
"""What the reason of `Damaged` begins with if the executor itself is sound."""


class Damaged(msgspec.Struct, array_like=True, tag=25, frozen=True):
    """The executor cannot be relied on any more, and says why: it is to be replaced.

    One for transactions ends by itself, and the unanswered calls have not run; one for actions goes on with those that
    have begun.
    """

    reason: str


ToExecutor = (
    Row
    | OwnCommit
    | DropSpeculation
    | Accepted
    | CheckpointMoved
    | Call
    | Answer
    | CancelCall
    | Stop
    | ClientGone
)
FromExecutor = Ready | Result | Request | Progress | Paused | Damaged
F = TypeVar("F")

_encoder = msgspec.msgpack.Encoder()
_to_executor = msgspec.msgpack.Decoder(ToExecutor)
_from_executor = msgspec.msgpack.Decoder(FromExecutor)


def encode_frame(frame: ToExecutor | FromExecutor) -> bytes:
    """Return the frame with its length in front, ready to be written."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(4, "little") + body


class FrameReader(Generic[F]):
    """Cuts a byte stream into frames.

    Raises:
        ValueError: a frame is malformed or larger than `FRAME_SIZE_BYTES_MAX`; the other side must be given up.
    """

    def __init__(self, decode: Callable[[memoryview], F]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[F]:
        """Return the frames that are complete with `data`."""
        buffer = self._buffer
        buffer += data
        frames: list[F] = []
        position, end = 0, len(buffer)
        view = memoryview(buffer)
        try:
            while end - position >= 4:
                size = int.from_bytes(view[position : position + 4], "little")
                if size > FRAME_SIZE_BYTES_MAX:
                    raise ValueError(f"frame of {size} bytes")
                if end - position - 4 < size:
                    break
                frames.append(self._decode(view[position + 4 : position + 4 + size]))
                position += 4 + size
        except msgspec.MsgspecError as error:
            raise ValueError(f"malformed frame: {error}") from error
        finally:
            view.release()
        del buffer[:position]
        return frames


def reader_of_calls() -> FrameReader[ToExecutor]:
    """Return what an executor reads its stream with."""
    return FrameReader(_to_executor.decode)


def reader_of_results() -> FrameReader[FromExecutor]:
    """Return what the server reads an executor's stream with."""
    return FrameReader(_from_executor.decode)
