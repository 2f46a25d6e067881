"""The process that an editor attaches to: it starts the adapter, says when somebody has attached, and does nothing else.

`python -m convexpy_cli.dev_loop.editor_process PORT` writes JSON lines on stdout (`{"listening": …}`, `{"attached": true}`
or `{"error": …}`) and ends with its stdin. Functions run elsewhere: their processes connect to the same adapter as
children of this one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from typing import Any

START_S = 20.0
_adapters: list[tuple[str, int]] = []
"""Where the adapter that was started takes processes to debug."""


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    for address in _adapters:
        # An adapter that has never met a process to debug waits for one; one that hangs up is enough for it to end.
        with contextlib.suppress(OSError):
            socket.create_connection(address, 1.0).close()
    os._exit(0)


def _start_adapter(port: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """Start an adapter that listens for an editor on `port`.

    Returns where it listens for the editor, and where for processes to debug. `debugpy.listen` does the same, but keeps
    the second for itself.

    Raises:
        OSError: it cannot listen there.
    """
    adapter: Any = importlib.import_module("debugpy.adapter")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(START_S)
        told_at = str(listener.getsockname()[1])
        place = os.path.dirname(adapter.__file__)  # noqa: PTH120 - a package is started by its folder
        arguments = ["--for-server", told_at, "--host", "127.0.0.1", "--port", str(port)]
        # It leaves us at once, and lives on by itself until what it debugs has ended.
        subprocess.run([sys.executable, place, *arguments], check=False, stdin=subprocess.DEVNULL)
        with listener.accept()[0] as connection:
            connection.settimeout(START_S)
            with connection.makefile("rb") as stream:
                told: dict[str, Any] = json.loads(stream.read())
    if "error" in told:
        raise OSError(str(told["error"]))
    _adapters.append((str(told["server"]["host"]), int(told["server"]["port"])))
    return (str(told["client"]["host"]), int(told["client"]["port"])), _adapters[-1]


def main(arguments: list[str]) -> int:
    """Entry point."""
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        debugpy: Any = importlib.import_module("debugpy")
        debugpy.configure(subProcess=False)
        (host, port), (inner_host, inner_port) = _start_adapter(int(arguments[0]))
        _say({"listening": f"{host}:{port}", "address": f"{inner_host}:{inner_port}:{os.getpid()}"})
        debugpy.connect(
            (inner_host, inner_port)
        )  # returns when the editor has attached and set its breakpoints
    except ImportError:
        _say({"error": "missing"})
        return 1
    except (RuntimeError, OSError, ValueError) as error:
        _say({"error": str(error)})
        return 1
    _say({"attached": True})
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
