"""Starting the process of a fork server; light, so that a server can begin with it while it imports everything else.

The process gets nothing of the deployment at its start: variables come by its control socket, so they stand in no
`/proc/PID/environ`, and a process can be started before anything is known of the deployment.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import Any

from convexpy.errors import Error
from convexpy.executors.executor_user import ExecutorUserInvalid, executor_user

DATABASE_VARIABLE = "CONVEXPY_DATABASE_URL"
"""What tells a server where its database is. Not an option: it may have a password, and other users see command lines."""
DATABASE_READ_VARIABLE = "CONVEXPY_DATABASE_READ_URL"
"""The same database as a role that may only read."""
# What processes that run app code see of the server's environment: no keys, no database addresses.
ENVIRONMENT_KEPT = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH", "SYSTEMROOT", "CONVEXPY_PAUSE", "COVERAGE_PROCESS_START",
)  # fmt: skip
_early: list[BaseProcess] = []


class BaseProcess:
    """A running fork server and our end of its control socket."""

    def __init__(self) -> None:
        self.socket: socket.socket
        self.socket, theirs = socket.socketpair()
        with_database = ["database"] if os.environ.get(DATABASE_VARIABLE) else []
        try:
            process: Any = subprocess.Popen(
                [sys.executable, "-m", "convexpy.sandbox.forkserver", str(theirs.fileno()), *with_database],
                pass_fds=[theirs.fileno()],
                env=base_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                **run_as(),
            )
            self.process: subprocess.Popen[bytes] = process
        except PermissionError as error:
            self.socket.close()
            user = executor_user()
            if user is None:
                raise
            raise ExecutorUserInvalid(
                f"the user {user.name!r} cannot run {sys.executable}: {error.strerror}",
                hint="install Python and convexpy where every user can read them",
            ) from error
        except BaseException:
            self.socket.close()
            raise
        finally:
            theirs.close()

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self.process.kill()
        self.process.wait()


def base_environment() -> dict[str, str]:
    """Return the environment that processes for app code start with: a whitelist of the server's own."""
    kept = {name: os.environ[name] for name in ENVIRONMENT_KEPT if name in os.environ}
    user = executor_user()
    if user is not None:
        kept["HOME"] = user.home
    return {**kept, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def run_as() -> dict[str, Any]:
    """Return the arguments of `subprocess` that start a process of the executors' user."""
    user = executor_user()
    return {} if user is None else user.popen()


def start_early() -> None:
    """Start a process for the first one who needs it; what is wrong with the environment is told later."""
    if sys.platform == "linux":
        with contextlib.suppress(Error):
            _early.append(BaseProcess())


def take() -> BaseProcess:
    """Return the process that was started early, or a fresh one."""
    while _early:
        early = _early.pop()
        if early.process.poll() is None:
            return early
        early.close()
    return BaseProcess()


def discard_early() -> None:
    """End the process that was started early, if nobody has needed it."""
    while _early:
        _early.pop().close()
