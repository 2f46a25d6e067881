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

from convexpy.errors import Error
from convexpy.errors.exit_codes import exit_code, exit_code_of
from convexpy_cli.output import masking

OK = 0
FAILED = 1
BUG = 70
UNREACHABLE = 6
SCHEMA_VIOLATED = 8
INTERRUPTED = 130


class Failure(Error):
    """A command cannot go on. It ends with the exit status of its code, unless another one is given."""

    def __init__(self, code: str, message: str, *, exit_code: int | None = None, **details: Any) -> None:
        super().__init__(message, code=code, **details)
        self.exit_code = exit_code_of(code) if exit_code is None else exit_code


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def suggestion(word: str, known: Iterable[str], things: str, *, none: str = "none") -> str:
    """Return the hint for a word that is not known: the one that was probably meant, else all `things` that there are."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else f"{things}: {', '.join(known) or none}"


def consent(message: str, hint: str, *, data: Any = None) -> Failure:
    """Return the error of a change that needs consent (exit 9)."""
    return Failure("ConsentRequired", message, hint=hint, data=data)


class TimeLimit(BaseException):
    """Raised in the main thread when `--timeout` has passed."""


def usage(message: str, hint: str | None = None) -> Failure:
    """Return the error of a wrong command line (exit 2)."""
    return Failure("UsageError", message, hint=hint)


def shown(error: Error) -> dict[str, Any]:
    """Return an error as `code message location hint data requestId exitCode`."""
    status = error.exit_code if isinstance(error, Failure) else exit_code(error)
    return {**error.to_json(), "requestId": getattr(error, "request_id", None) or None, "exitCode": status}


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
