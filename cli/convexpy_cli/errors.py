"""The command line's own errors, and how any error becomes the one form that is shown."""

from __future__ import annotations

import contextlib
import difflib
import tempfile
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convexpy_cli.output import masking

OK = 0
FAILED = 1
USAGE = 2
CONFIGURATION = 3
INPUT_REQUIRED = 4
UNREACHABLE = 6
NOT_DEPLOYABLE = 7
SCHEMA_VIOLATED = 8
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


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def consent(message: str, hint: str, *, data: Any = None) -> Failure:
    """Return the error of a change that needs consent (exit 9)."""
    return Failure("ConsentRequired", message, REFUSED, hint=hint, data=data)


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


# Bugs of convexpy itself


def report_bug(error: Exception, command: str) -> Failure:
    """Write the report and return the error that is shown in its place (exit 70)."""
    from convexpy_cli.docs.about import version_info

    text = "\n".join(
        [
            *(f"{name}: {value}" for name, value in version_info().items()),
            f"command: {masking.mask(command)}",
            "",
            masking.mask("".join(traceback.format_exception(error))),
        ]
    )
    file = _write(text)
    return Failure(
        "InternalError",
        f"a bug in convexpy: {type(error).__name__}: {masking.mask(str(error))}",
        BUG,
        hint=f"the report is in {file}" if file else "run again with --debug for the traceback",
    )


def _write(text: str) -> Path | None:
    name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f.txt")
    state = Path(".convexpy")
    folders = [state / "crash"] if state.is_dir() else []
    for folder in [*folders, Path(tempfile.gettempdir()) / "convexpy-crash"]:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / name
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600)
            return file
    return None
