"""Work on the data of a stopped server, done by a process of the server's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convexpy_cli import errors


def run(
    work: str, data: Path, progress: Callable[[str, int], None], *, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what was found or done.

    Raises:
        Failure: the folder is in use or cannot be used, or the work failed.
    """
    command = [sys.executable, "-P", "-m", "convexpy.serve.data_tool", work, str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, **(env or {})}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "progress" in message:
                progress(*message["progress"])
            elif "error" in message:
                error = message["error"]
                raise errors.Failure(
                    error["code"], error["message"], exit_code=error["exitCode"], hint=error["hint"]
                )
            else:
                return dict(message)
    raise errors.Failure("WorkerLost", f"the work on {data} failed with exit status {process.returncode}")
