"""The command line's own errors, and how any error becomes the one form that is shown."""

from __future__ import annotations

from typing import Any

OK = 0
FAILED = 1
USAGE = 2
CONFIGURATION = 3
INPUT_REQUIRED = 4
UNREACHABLE = 6
NOT_DEPLOYABLE = 7
DATA_MISFIT = 8
REFUSED = 9
CONFLICT = 10
BUG = 70
TIMED_OUT = 124
INTERRUPTED = 130


class Failure(Exception):
    """A command cannot go on. Knows its exit status; the fields are those of every convexpy error."""

    def __init__(
        self,
        code: str,
        message: str,
        exit_code: int,
        *,
        hint: str | None = None,
        location: dict[str, Any] | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code
        self.hint = hint
        self.location = location
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """Return `code message location hint data`."""
        return {
            "code": self.code,
            "message": self.message,
            "location": self.location,
            "hint": self.hint,
            "data": self.data,
        }


class TimeLimit(BaseException):
    """Raised in the main thread when `--timeout` has passed."""


def usage(message: str, hint: str | None = None) -> Failure:
    """Return the error of a wrong command line (exit 2)."""
    return Failure("UsageError", message, USAGE, hint=hint)


def shown(error: BaseException) -> dict[str, Any]:
    """Return an error of ours as `code message location hint data requestId exitCode`."""
    fields: dict[str, Any] = error.to_json()  # type: ignore[attr-defined]
    return {
        **fields,
        "requestId": getattr(error, "request_id", None) or None,
        "exitCode": exit_code_of(error),
    }


def exit_code_of(error: BaseException) -> int:
    """Return the exit status that an error of ours stands for."""
    if isinstance(error, Failure):
        return error.exit_code
    from convexpy.errors.exit_codes import exit_code

    return exit_code(error)
