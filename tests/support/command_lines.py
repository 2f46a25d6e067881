"""Runs many command lines one after the other in one process, each as if it had been started alone.

`python command_lines.py JOB.json`: the file says which, where and with what stdin, and gets the results. A process of its own,
since a closed stdin is one of the things that are tried.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HANGS_AFTER_S = 45.0


@dataclass(frozen=True)
class Ended:
    """How one command line ended. A status of -1 is an exception that got out."""

    arguments: list[str]
    status: int
    stdout: str
    stderr: str
    seconds: float


def run_all(
    lines: Sequence[Sequence[str]],
    folder: Path,
    scratch: Path,
    *,
    environment: Mapping[str, str] | None = None,
    closed_stdin: bool = False,
) -> list[Ended]:
    """Run all command lines in `folder`, stdin closed or /dev/null."""
    scratch.mkdir(parents=True, exist_ok=True)
    job = scratch / "job.json"
    job.write_text(json.dumps({"lines": [list(line) for line in lines], "closed": closed_stdin}))
    child = subprocess.run(
        [sys.executable, __file__, str(job)],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    results = [Ended(**each) for each in json.loads((scratch / "results.json").read_text())]
    assert len(results) == len(lines), f"{lines[len(results)]} did not end:\n{child.stderr}"
    return results


def main() -> None:
    """Run the job of the command line."""
    job = Path(sys.argv[1])
    todo = json.loads(job.read_text())
    home, environment = Path.cwd(), dict(os.environ)
    results: list[dict[str, Any]] = []
    for line in todo["lines"]:
        faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True, file=open(2, "w", closefd=False))  # noqa: SIM115
        results.append(_one(line, job.parent, closed=todo["closed"]))
        os.chdir(home)
        os.environ.clear()
        os.environ.update(environment)
        (job.parent / "results.json").write_text(json.dumps(results))


def _one(line: list[str], scratch: Path, *, closed: bool) -> dict[str, Any]:
    from convexpy_cli.main import main as convexpy

    kept = [os.dup(1), os.dup(2)]
    files = [scratch / "stdout", scratch / "stderr"]
    for number, file in enumerate(files, 1):
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), number)
    sys.argv = ["convexpy", *line]
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if closed:
        os.close(0)
        sys.stdin = None  # type: ignore[assignment]
    started = time.monotonic()
    try:
        convexpy()
        status = -1
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else -1
    except BaseException:
        traceback.print_exc()
        status = -1
    seconds = time.monotonic() - started
    sys.stdout.flush()
    sys.stderr.flush()
    for number, old in enumerate(kept, 1):
        os.dup2(old, number)
        os.close(old)
    stdout, stderr = (file.read_text(errors="replace") for file in files)
    return {"arguments": line, "status": status, "stdout": stdout, "stderr": stderr, "seconds": seconds}


if __name__ == "__main__":
    main()
