"""What an exception of a function becomes on its way to the server."""

from __future__ import annotations

import sys

from convexpy.errors import ArgumentError, ConvexError, Error, LimitExceeded, ReturnsError, sendable
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import Call, CallFailure
from convexpy.sandbox import tracebacks
from convexpy.sandbox.host import error_detail
from convexpy.values import encode_result, normalize


def memory_error(call: Call, settings: ExecutorSettings, error: MemoryError) -> LimitExceeded:
    """Return the error of a call that has used up the memory of its executor."""
    limit = settings.knobs.executor_memory_bytes
    exceeded = LimitExceeded(
        f"{call.path} exceeded the limit executor_memory_bytes: {limit // 2**20} MiB of memory",
        limit="executor_memory_bytes",
    )
    exceeded.__traceback__ = error.__traceback__
    return exceeded


def failure_of(error: BaseException, path: str, marker: str) -> CallFailure:
    """Return the failure that an exception of a function stands for, however oddly the exception behaves."""
    try:
        return _failure_of(error, path, marker)
    except Exception as problem:  # noqa: BLE001 - the exception is the app's: describing it runs the app's code
        text = f"{type(error).__name__}, which cannot be described: {type(problem).__name__}"
        return CallFailure(sendable(type(error).__name__), sendable(f"Uncaught {text}"), None, "", path, "")


def _failure_of(error: BaseException, path: str, marker: str) -> CallFailure:
    data: bytes | None = None
    if isinstance(error, ConvexError):
        try:
            data = encode_result(normalize(error.data))
        except ArgumentError as unsupported:
            text = f"the data of {type(error).__name__} cannot be sent: {unsupported.message}"
            error = ArgumentError(text, code="UnsupportedErrorData").with_traceback(error.__traceback__)
    code = error.code if isinstance(error, Error) else type(error).__name__
    limit = error.limit if isinstance(error, LimitExceeded) else ""
    detail = error_detail(error, marker)
    if isinstance(error, ReturnsError) and "\n    at " not in detail:
        detail += f"\n    at {path}"  # the function has ended: none of its lines is to blame
    if isinstance(error, RecursionError):
        limit = "recursion_depth"
        frames = sys.getrecursionlimit()
        detail = detail.replace(
            str(error), f"{path} exceeded the limit recursion_depth: {frames} frames ({error})", 1
        )
    return CallFailure(
        sendable(code),
        sendable(detail),
        data,
        limit,
        path,
        sendable(tracebacks.full_traceback(error, marker)),
    )
