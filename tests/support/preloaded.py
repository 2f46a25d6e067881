"""Server processes that are forked from one that has imported the server already.

Importing the server takes more than half of the processor time of its start, and the tests start hundreds. What is run after
the fork is `python -m convexpy.serve` itself; only the modules that it imports are there already. Children of the server, such
as the fork server of its executors, are started as always.

The process that servers are forked from is this module, run with the number of a socket. Each message to it is a request with
four descriptors: standard output and standard error of the server, and a pipe that gets the server's exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

REQUEST_BYTES = 1 << 20
STATUS = struct.Struct("i")
AVAILABLE = sys.platform == "linux"


class ForkedServer:
    """A running server, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, pid: int, stdout: IO[bytes], status: int, args: list[str]) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.args = args
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            (self.returncode,) = STATUS.unpack(os.read(self._status, STATUS.size))
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)


class _Preloaded:
    """Our end of the process that servers are forked from."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=env,
            )
        atexit.register(self._close)

    def _close(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, arguments: list[str], stderr: IO[bytes], env: Mapping[str, str]) -> ForkedServer:
        """Fork a server with the arguments, the environment and the current folder."""
        out, their_out = os.pipe()
        status, their_status = os.pipe()
        request = {"arguments": arguments, "env": dict(env), "folder": str(Path.cwd())}
        try:
            sent = [their_out, stderr.fileno(), their_status]
            socket.send_fds(self._socket, [json.dumps(request).encode()], sent)
        finally:
            os.close(their_out)
            os.close(their_status)
        pid = int(self._socket.recv(64))
        return ForkedServer(pid, os.fdopen(out, "rb"), status, arguments)


_started: list[_Preloaded] = []


def start(arguments: list[str], stderr: IO[bytes], env: Mapping[str, str]) -> ForkedServer:
    """Start a server: `arguments` are those of `python -m convexpy.serve`."""
    if not _started:
        _started.append(_Preloaded(env))
    return _started[0].start(arguments, stderr, env)


class _Forking:
    """The process that servers are forked from."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._statuses: dict[int, int] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Fork servers until the tests have ended, or are killed; then nothing is left of the servers either."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([self._control, self._wake_read], [], [])
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
            if self._control in ready:
                data, descriptors, _, _ = socket.recv_fds(self._control, REQUEST_BYTES, 3)
                if not data:
                    break
                self._fork(json.loads(data), descriptors)
        for pid in self._statuses:
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = self._statuses.pop(pid)
            os.write(told, STATUS.pack(os.waitstatus_to_exitcode(status)))
            os.close(told)

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> None:
        out, err, told = descriptors
        pid = os.fork()
        if pid:
            os.close(out)
            os.close(err)
            self._statuses[pid] = told
            self._control.send(str(pid).encode())
            return
        status = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(out, 1)
            os.dup2(err, 2)
            self._control.close()
            for descriptor in (out, err, told, self._wake_read, self._wake_write, *self._statuses.values()):
                os.close(descriptor)
            status = _serve(request)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def _serve(request: dict[str, Any]) -> int:
    """Run the server as `python -m convexpy.serve` does; return its exit status."""
    from convexpy.runtime import pauses

    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["folder"])
    pauses.__init__(os.environ.get("CONVEXPY_PAUSE", ""))  # type: ignore[misc] - what is read when it is imported
    sys.argv[1:] = request["arguments"]
    try:
        runpy.run_module("convexpy.serve", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    return 0


def _main() -> None:
    importlib.import_module("convexpy.serve.server")
    gc.collect()
    gc.freeze()
    _Forking(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    _main()
