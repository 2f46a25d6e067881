"""How a call ended, and what a client may read of it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable

import msgspec

from convexpy.limits import REQUEST_ID_LENGTH_MAX
from convexpy.protocol.frames import CallFailure, LogLine, Result
from convexpy.runtime import secure_random
from convexpy.sync.interface import Done

_encode = msgspec.json.Encoder().encode
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.:/+=-]+")


TRY_AGAIN = frozenset({"NotCommitted", "CommitterFullError"})
"""Failures of the deployment, not of the function: nothing was changed, and the same call may succeed later."""


class Outcome(msgspec.Struct, gc=False):
    """The end of a call. `value` is wire JSON; `ts` and `row` say at which moment it ran or committed.

    A `cached` query did not run: its result was known.
    """

    value: bytes = b"null"
    failure: CallFailure | None = None
    logs: list[LogLine] = []
    ts: int = 0
    row: int = 0
    result: Result | None = None
    seconds: float = 0.0
    cached: bool = False


def failed(code: str, detail: str, *, function: str = "", limit: str = "", lost: bool = False) -> Outcome:
    """Return the outcome of a call that the server itself ended."""
    return Outcome(failure=CallFailure(code, detail, None, limit, function, "", lost))


async def outcome_of(submit: Callable[[Callable[[Outcome], None]], object]) -> Outcome:
    """Return the outcome of a call that `submit` starts; it gets the function to be called with the outcome."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    submit(done)
    return await future


def request_id_of(session: str, request: int) -> str:
    """Return the id of a call over a socket: clients can compute it, so logs can be joined to requests."""
    return hashlib.sha256(f"{session}|{request}".encode()).hexdigest()[:16]


def new_request_id() -> str:
    """Return a fresh id of 16 hex digits."""
    return secure_random.randbytes(8).hex()


def accepted_request_id(given: bytes | None) -> str:
    """Return the request id that a client gave in a header, or a fresh one if it gave none that may be kept in logs."""
    if given and len(given) <= REQUEST_ID_LENGTH_MAX and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_request_id()


class Presenter:
    """Writes outcomes for clients: in full in development, redacted in production, but for failures of its own."""

    def __init__(self, *, redact: bool) -> None:
        self.redact = redact

    def message(self, request_id: str, failure: CallFailure) -> str:
        """Return the text of a failure. The first line never changes its form: applications match it."""
        first = f"[Request ID: {request_id}] Server Error"
        if failure.code in TRY_AGAIN:
            return f"{first}\n{failure.code}: {failure.detail}"
        return first if self.redact else f"{first}\n{failure.detail}"

    def data(self, failure: CallFailure) -> bytes | None:
        """Return the wire JSON of a ConvexError's data; never redacted."""
        return failure.data

    def log_lines(self, logs: list[LogLine]) -> bytes:
        """Return the JSON array of log lines that a client prints."""
        if self.redact or not logs:
            return b"[]"
        return _encode([f"[{line.level}] {line.text}" for line in logs])

    def done(self, request_id: str, outcome: Outcome) -> Done:
        """Return what a session tells its client."""
        logs = self.log_lines(outcome.logs)
        if outcome.failure is None:
            return Done(outcome.value, None, None, logs, outcome.ts)
        return Done(b"null", self.message(request_id, outcome.failure), self.data(outcome.failure), logs)
