"""The server of the local deployment as a child process.

It has a process group of its own, so that Ctrl-C at the terminal does not reach it, and holds the end of a pipe whose
other end is ours: when this process is gone, however it ended, the server stops by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from convexpy.project import DEFAULT_PORTS, LocalDeployment, free_pairs, port_holder, port_is_free
from convexpy_cli import errors

READY_DEADLINE_S = 60.0
STOP_DEADLINE_S = 10.0
_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Reach:
    """From where a local server can be used: its address, and the hosts and pages that it serves beside localhost."""

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return the flags of the server."""
        return [
            f"--host={self.host}",
            *(f"--allow-host={each}" for each in self.hosts),
            *(f"--allow-origin={each}" for each in self.origins),
        ]


class LocalServer:
    """A server that listens."""

    def __init__(self, process: subprocess.Popen[bytes], watchdog: int | None) -> None:
        self._process = process
        self._watchdog = watchdog
        self.pid = process.pid
        self.url = self.site_url = ""

    @classmethod
    def start(
        cls,
        local: LocalDeployment,
        *,
        port: int | None = None,
        site_port: int | None = None,
        reach: Reach | None = None,
        debugging: Mapping[str, str] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> LocalServer:
        """Start the server of `local` and wait until it listens. The lock must be ours.

        Ports that are given are required; without, those of the last time are used, else the next free pair.
        `debugging` are variables that say where functions are debugged; `warn` is told what the server warns of later,
        in a thread.

        Raises:
            Failure: `PortInUse`, or `ServerStartFailed` with the end of the server's log.
        """
        local.prepare()
        reach = reach or Reach()
        for pair in _candidates(local, port, site_port, reach.host):
            try:
                server = _launch(local, pair, reach, debugging or {}, warn)
            except errors.Failure as error:
                if error.code != "PortInUse" or port is not None:
                    raise
                continue
            local.remember_ports(*pair)
            local.publish(*pair)
            return server
        raise errors.Failure("PortInUse", "no free ports found")

    def wait(self) -> int:
        """Wait until the process ends; returns its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to stop, wait, and kill it if it does not."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End it and all its processes at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        if self._watchdog is not None:
            os.close(self._watchdog)
            self._watchdog = None
        if self._process.stdout is not None:
            self._process.stdout.close()


def _candidates(
    local: LocalDeployment, port: int | None, site_port: int | None, host: str
) -> Iterator[tuple[int, int]]:
    if port is not None or site_port is not None:
        wanted = port if port is not None else DEFAULT_PORTS[0]
        pair = (wanted, site_port if site_port is not None else wanted + 1)
        for each, flag in zip(pair, ("--port", "--site-port"), strict=True):
            if not port_is_free(each, host):
                raise _port_in_use(each, flag)
        yield pair
        return
    remembered = local.remembered_ports()
    if remembered is not None and all(port_is_free(each, host) for each in remembered):
        yield remembered
    yield from free_pairs(host=host)


def _port_in_use(port: int, flag: str) -> errors.Failure:
    holder = port_holder(port)
    free = next(free_pairs(port + 1), None)
    return errors.Failure(
        "PortInUse",
        f"port {port} is in use" + (f" by {holder}" if holder else ""),
        hint=f"{flag} {free[0]}" if free else flag,
        data={"port": port, "holder": holder},
    )


def _launch(
    local: LocalDeployment,
    ports: tuple[int, int],
    reach: Reach,
    debugging: Mapping[str, str],
    warn: Callable[[str], None] | None,
) -> LocalServer:
    command = [sys.executable, "-m", "convexpy.serve", "--data", str(local.folder), *reach.arguments()]
    command += [
        "--port",
        str(ports[0]),
        "--site-port",
        str(ports[1]),
        "--label",
        local.project.config.functions,
    ]
    ours: int | None = None
    theirs: int | None = None
    posix = os.name == "posix"
    if posix:
        theirs, ours = os.pipe()
        command += ["--watchdog-fd", str(theirs)]
    with local.log_file.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=local.project.root,
            env=_environment(debugging),
            # A group of its own: Ctrl-C at the terminal is for us, and we stop the server in order.
            start_new_session=posix,
            pass_fds=() if theirs is None else (theirs,),
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    if theirs is not None:
        os.close(theirs)
    assert process.stdout is not None  # it was asked for
    server = LocalServer(process, ours)
    try:
        ready = json.loads(_first_line(process.stdout, READY_DEADLINE_S))
        server.pid, server.url, server.site_url = ready["pid"], ready["url"], ready["siteUrl"]
    except (ValueError, KeyError, TypeError):
        server.kill()
        raise _start_failed(local, start) from None
    threading.Thread(target=_drain, args=(process.stdout, warn), daemon=True, name="server stdout").start()
    return server


def _environment(debugging: Mapping[str, str]) -> dict[str, str]:
    # A local deployment has its data in its folder, wherever a production server has its own.
    ours = ("CONVEXPY_DEBUGGER", "CONVEXPY_EDITOR", "CONVEXPY_DATABASE_URL", "CONVEXPY_DATABASE_READ_URL")
    return {**{name: value for name, value in os.environ.items() if name not in ours}, **debugging}


def _first_line(stream: IO[bytes], deadline_s: float) -> bytes:
    """Return the first line of a pipe, or what came of it when the stream ended or the time was up."""
    if os.name != "posix":
        return stream.readline()
    until, line = time.monotonic() + deadline_s, b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
        part = os.read(stream.fileno(), 65536) if readable else b""
        if not part:
            break
        line += part
    return line.partition(b"\n")[0]


def _drain(stream: IO[bytes], warn: Callable[[str], None] | None) -> None:
    """Read on, for a full pipe would stop the server; pass on its warnings."""
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            with contextlib.suppress(ValueError):
                message: Any = json.loads(line)
                if warn is not None and isinstance(message, dict) and "warning" in message:
                    warn(str(message["warning"]))


def _start_failed(local: LocalDeployment, start: int) -> errors.Failure:
    with local.log_file.open("rb") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
    error: Any = {}
    try:
        error = json.loads(lines[-1])
        error = error.get("error", error)
        code, message, hint = str(error["code"]), str(error["message"]), error.get("hint")
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):
        code, message, hint = "ServerStartFailed", lines[-1] if lines else "it exited without a message", None
    if code == "PortInUse":
        return _port_in_use(error["data"]["port"], error["data"]["flag"])
    from convexpy.errors.exit_codes import exit_code_of

    return errors.Failure(
        code,
        f"the local server did not start: {message}",
        exit_code=exit_code_of(code, errors.UNREACHABLE),
        hint=hint or f"its log is {local.log_file}",
        data={"log": lines[-_TAIL_LINES:]},
    )
