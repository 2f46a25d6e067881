"""What the engine writes into the function log."""

from __future__ import annotations

from typing import Protocol, get_args

import msgspec

from convexpy.access import Caller
from convexpy.engine.outcome import Outcome
from convexpy.protocol.frames import Call, Kind, LogLine

_KINDS = {kind: kind.capitalize() for kind in get_args(Kind)}
_NO_LINES: list[LogLine] = []


class Completion(msgspec.Struct, gc=False):
    """The end of a call, kept as it is until somebody reads it."""

    kind: str
    path: str
    request_id: str
    seconds: float
    lines: list[LogLine]
    error: str | None
    caller: str
    identity: str
    documents_read: int = 0
    documents_written: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    return_bytes: int = 0
    success: dict[str, str] | None = None
    cached: bool = False


class CompletionLog(Protocol):
    """Where completions go: the function log."""

    def completion(self, completion: Completion, *, name: str | None = None, known: bool = True) -> None:
        """Add the end of a call. `name` is counted in its place; what is not `known` is not counted."""
        ...

    def progress(self, *, kind: str, path: str, request_id: str, lines: list[LogLine]) -> None:
        """Add lines of an action that is still running."""
        ...


class CallLog:
    """Writes the ends of calls, and the lines of running actions, into the function log."""

    def __init__(self, log: CompletionLog) -> None:
        self._log = log

    def end(
        self, kind: Kind, path: str, outcome: Outcome, request_id: str, origin: str, caller: Caller
    ) -> None:
        """Note the end of a call; system functions are not noted."""
        if path.startswith("_system/"):
            return
        result, failure = outcome.result, outcome.failure
        read = written = bytes_read = bytes_written = 0
        if result is not None:
            read, written = result.documents_read, result.documents_written
            bytes_read, bytes_written = result.bytes_read, result.bytes_written
        self._log.completion(
            Completion(
                _KINDS[kind],
                path,
                request_id,
                outcome.seconds,
                _NO_LINES if kind == "action" else outcome.logs,
                None if failure is None else failure.traceback or failure.detail,
                origin,
                caller.described,
                read,
                written,
                bytes_read,
                bytes_written,
                len(outcome.value),
                None,
                outcome.cached,
            ),
            known=failure is None or failure.code != "FunctionNotFound" or failure.function != path,
        )

    def http_end(
        self,
        name: str,
        route: str | None,
        request_id: str,
        outcome: Outcome,
        status: int,
        size: int,
        caller: Caller,
    ) -> None:
        """Note the end of an HTTP action: `name` is `GET /path`, `route` the app's route that answered it."""
        failure = outcome.failure
        self._log.completion(
            Completion(
                "HttpAction",
                name,
                request_id,
                outcome.seconds,
                [],
                None if failure is None else failure.traceback or failure.detail,
                "HttpEndpoint",
                caller.described,
                return_bytes=size,
                success={"status": str(status)},
            ),
            name=route,
            known=route is not None,
        )

    def progress(self, call: Call, lines: list[LogLine]) -> None:
        """Note log lines of an action that is still running."""
        kind = "HttpAction" if call.kind == "http" else "Action"
        self._log.progress(kind=kind, path=call.path, request_id=call.request_id, lines=lines)
