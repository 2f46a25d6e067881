"""A report about a bug of convexpy itself: a file on this machine, with secrets masked, sent to nobody."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from convexpy_cli import failure
from convexpy_cli.about import version_info
from convexpy_cli.output import masking


def report(error: Exception) -> failure.Failure:
    """Write the report and return the error that is shown in its place (exit 70)."""
    text = "\n".join(
        [
            *(f"{name}: {value}" for name, value in version_info().items()),
            f"command: {masking.mask(' '.join(_shape(sys.argv[1:])))}",
            "",
            masking.mask("".join(traceback.format_exception(error))),
        ]
    )
    file = _write(text)
    return failure.Failure(
        "InternalError",
        f"a bug in convexpy: {type(error).__name__}: {masking.mask(str(error))}",
        failure.BUG,
        hint=f"the report is in {file}" if file else "run again with --debug for the traceback",
    )


def _shape(arguments: list[str]) -> list[str]:
    """Return the command and its flags; what they are about, which may be secret, is left out."""
    from convexpy_cli import table

    starts = (table.find(arguments[place:]) for place in range(len(arguments)))
    names = next((found[0].split() for found in starts if found is not None), [])
    return [
        word.partition("=")[0] if word.startswith("-") else word if word in names else "…"
        for word in arguments
    ]


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
