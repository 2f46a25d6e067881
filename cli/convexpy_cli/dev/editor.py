"""`dev --debugpy PORT`: wait for an editor to attach, then debug every process that runs functions in it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

from convexpy_cli import errors
from convexpy_cli.output.base import Output

STOP_S = 2.0


class Editor:
    """The process that an editor attaches to, while `dev` runs."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process = process
        self.address = address

    @classmethod
    def wait_for(cls, port: int, output: Output) -> Editor:
        """Listen on the port, and return when an editor has attached.

        Raises:
            Failure: debugpy is not installed, or the port is taken.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli.dev.editor_process", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0 if sys.platform != "win32" else None,
        )
        editor = cls(process, "")
        try:
            told = editor._told()
            if "error" in told:
                raise _failure(port, str(told["error"]))
            editor.address = str(told["address"])
            output.event("waitingForDebugger", address=told["listening"])
            output.note(f"  waiting for a debugger on {told['listening']}")
            editor._told()
            output.note("  a debugger has attached; time limits are off")
        except BaseException:
            editor.close()
            raise
        return editor

    def close(self) -> None:
        """End the process; the adapter ends when those that it debugs have."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # it was asked for
        line = self._process.stdout.readline()
        if not line:
            return {"error": "the process that waits for the debugger has ended"}
        told: dict[str, Any] = json.loads(line)
        return told


def _failure(port: int, error: str) -> errors.Failure:
    if error == "missing":
        return errors.Failure(
            "DebugpyMissing", "--debugpy needs the package debugpy", hint="pip install 'convexpy[debug]'"
        )
    return errors.Failure(
        "PortInUse", f"cannot wait for a debugger on port {port}: {error}", hint=f"--debugpy {port + 1}"
    )
