"""Debugging in an editor: each executor connects to the adapter that `convexpy dev --debugpy` has started.

The editor is told of every executor as of a child process, and opens a session for it. Loaded only where that was asked
for; `debugpy` is an optional dependency.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

WAIT_S = 5.0
"""How long an executor waits for the editor to open its session: one that ignores child processes must not stop it."""


def attach(address: str) -> None:
    """Connect this process to the adapter at `HOST:PORT:PID` and wait until the editor has set its breakpoints.

    `PID` is the process that the editor attached to.
    """
    host, port, parent = address.rsplit(":", 2)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = (
        "1"  # it would warn of modules that are part of the interpreter
    )
    debugpy: Any = importlib.import_module("debugpy")
    debugpy.configure(subProcess=False)

    def connect() -> None:
        debugpy.connect((host, int(port)), parent_session_pid=int(parent))  # returns when breakpoints are set

    connecting = threading.Thread(target=connect, name="convexpy-editor", daemon=True)
    connecting.start()
    connecting.join(WAIT_S)
    debugpy.trace_this_thread(True)
