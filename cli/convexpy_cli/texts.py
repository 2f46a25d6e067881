"""Text that people hand over in files and on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from convexpy.errors.texts import decode_text, read_text
from convexpy_cli import failure


def of_file(file: str) -> str:
    """Return the text of a file, whatever its byte order mark says; line ends stay.

    Raises:
        Failure: it can't be read (exit 2).
        TextUnreadable: it is no text in its encoding; says line and encoding.
    """
    try:
        return read_text(Path(file))
    except OSError as error:
        raise failure.usage(f"{file}: {error.strerror}") from error


def of_stdin() -> str:
    """Return all of standard input, in the same way."""
    data = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if data is None else decode_text(data.read(), "stdin")
