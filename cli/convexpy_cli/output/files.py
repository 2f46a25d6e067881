"""Text from files and standard input, and results that go to files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convexpy.errors.texts import decode_text, read_text
from convexpy_cli import errors

if TYPE_CHECKING:
    from convexpy_cli.output.base import Output


def of_file(file: str) -> str:
    """Return the text of a file, whatever its byte order mark says; line ends stay.

    Raises:
        Failure: it can't be read (exit 2).
        TextUnreadable: it is no text in its encoding; says line and encoding.
    """
    try:
        return read_text(Path(file))
    except OSError as error:
        raise errors.usage(f"{file}: {error.strerror}") from error


def of_stdin() -> str:
    """Return all of standard input, in the same way."""
    data = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if data is None else decode_text(data.read(), "stdin")


def piped() -> str:
    """Return all of standard input, nothing if it is a terminal or there is none."""
    return "" if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty() else of_stdin()


def json_of(word: str, what: str, hint: str | None = None) -> tuple[Any, str]:
    """Return the parsed JSON of an argument, `@file` or `-` (stdin), and its source: `what` for the argument itself.

    Raises:
        Failure: it is not JSON (exit 2).
    """
    if word == "-":
        return parsed_json(of_stdin(), "stdin", hint), "stdin"
    if word.startswith("@"):
        return parsed_json(of_file(word[1:]), word[1:], hint), word[1:]
    return parsed_json(word, what, hint), what


def parsed_json(text: str, where: str, hint: str | None = None) -> Any:
    """Return parsed JSON.

    Raises:
        Failure: it is none (exit 2).
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise errors.usage(f"{where}: not valid JSON: {error}", hint) from error


def first_line_of_stdin(flag: str) -> str:
    """Return the first line of standard input, for a `flag` whose value is `-`.

    Raises:
        Failure: there is none (exit 4).
    """
    line = sys.stdin.readline().strip()
    if not line:
        raise errors.Failure("InputRequired", f"{flag} -: stdin is empty")
    return line


def print_document(output: Output, value: Any, file: str | None) -> None:
    """Print a JSON document, or write it to a file and print the file's name.

    Raises:
        Failure: the file can't be written (exit 1).
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if file is None:
        output.result(value, text)
        return
    try:
        Path(file).write_text(text + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise errors.Failure("FileNotWritable", f"{file}: {error.strerror}") from error
    output.result({"path": file}, file)
