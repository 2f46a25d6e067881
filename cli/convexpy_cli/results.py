"""Documents as results: on stdout, or in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convexpy_cli import failure

if TYPE_CHECKING:
    from convexpy_cli.invocation import Invocation


def document(run: Invocation, value: Any, file: str | None) -> None:
    """Print a JSON document, or write it to a file and print the file's name.

    Raises:
        Failure: the file can't be written (exit 1).
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if file is None:
        run.output.result(value, text)
        return
    written(file, text + "\n")
    run.output.result({"path": file}, file)


def written(file: str, text: str) -> None:
    """Write a file as a whole.

    Raises:
        Failure: it can't be written (exit 1).
    """
    try:
        Path(file).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise failure.Failure("FileNotWritable", f"{file}: {error.strerror}", failure.FAILED) from error
