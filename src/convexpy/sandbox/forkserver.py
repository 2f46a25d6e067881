"""The fork server: a small process without threads from which executors are forked.

A tree of three generations. The *base* has imported Python's and the app's third-party packages; a *version* is a fork of
it that has imported one version of the app's modules; an *executor* is a fork of that. So a push costs the app's own
modules once, and a dead executor is replaced within milliseconds. Where somebody edits an app, there is a *trunk* between
base and version: it has imported the modules that need none of those that were edited, and has never imported these, so a
version that is forked from it holds nothing of older ones. All run the same command loop.

Commands and replies are length-prefixed JSON; descriptors travel with a command (SCM_RIGHTS). Every process here is
killed with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from convexpy.errors import Error, sendable
from convexpy.protocol import stack_dumps
from convexpy.protocol.call_marker import CallMarker
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import (
    Command,
    Exited,
    Failed,
    Forked,
    Imported,
    Importing,
    ImportPackages,
    Loaded,
    LoadError,
    Prepared,
    Report,
    Role,
    SetEnvironment,
    StartExecutor,
    StartTrunk,
    StartVersion,
    encode_message,
    reader_of_commands,
)
from convexpy.runtime import hide_process, prefer_for_oom
from convexpy.sandbox import system
from convexpy.sandbox.loader import AppLoader, LoadedApp

PR_SET_PDEATHSIG = 1
# Packages that start threads when they are imported and are known to survive a fork.
SURVIVES_FORK = frozenset({"numpy", "scipy", "pandas", "sklearn"})


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def threads() -> int:
    """Return the number of threads of this process, those of C libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a count of names
    except OSError:
        return 1


def load_error(error: BaseException) -> LoadError:
    """Return an exception of the app's modules as the error that tools read."""
    if isinstance(error, Error):
        return msgspec.convert(error.to_json(), LoadError)
    text = sendable("".join(traceback.format_exception(error)))
    return LoadError("InternalError", sendable(str(error)), data={"traceback": text})


def _set_environment(variables: dict[str, str]) -> None:
    """Take the deployment's variables, and the folder of its packages."""
    from convexpy.sandbox.packages import use_packages

    os.environ.update(variables)
    if "TZ" in variables and hasattr(time, "tzset"):
        time.tzset()
    use_packages()


def _woken(number: int, frame: Any) -> None:
    """Do nothing: the byte that the signal writes to the wake-up descriptor is what counts."""


class ForkServer:
    """One process of the tree: takes commands, forks children, reports their ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._reader = reader_of_commands()
        self._descriptors: list[int] = []
        self._loaded: tuple[ExecutorSettings, LoadedApp] | None = None
        self._loader: AppLoader | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)

    def run(self) -> None:
        """Serve commands until the server closes the control socket; then wait for the children, who would die with us."""
        self._watch_children()
        self._serve()
        self._control.close()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in ready:
                try:
                    data, descriptors, _, _ = socket.recv_fds(self._control, 65536, 8)
                except ConnectionError:
                    return
                if not data:
                    return
                self._descriptors += descriptors
                for command in self._reader.feed(data):
                    self._execute(command)

    def _watch_children(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _woken)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _send(self, report: Report) -> None:
        with contextlib.suppress(ConnectionError):
            self._control.sendall(encode_message(report))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._send(Exited(pid, os.waitstatus_to_exitcode(status)))

    def _execute(self, command: Command) -> None:
        match command:
            case SetEnvironment():
                _set_environment(command.variables)
            case ImportPackages():
                self._import(command.modules)
            case StartTrunk():
                self._fork(command.id, partial(self._become_trunk, command.settings, command.edited))
            case StartVersion():
                self._fork(command.id, partial(self._become_version, command.settings))
            case StartExecutor():
                self._fork(command.id, partial(self._become_executor, command.role))

    def _import(self, names: list[str]) -> None:
        """Import third-party packages ahead; one that leaves threads behind is reported, and this process is given up."""
        unsafe: list[str] = []
        for name in names:
            before = threads()
            with contextlib.suppress(Exception):
                importlib.import_module(name)
            if threads() > before and name not in SURVIVES_FORK:
                unsafe.append(name)
        gc.freeze()
        self._send(Imported(unsafe))

    def _fork(self, id: int, become: Callable[[list[int]], None]) -> None:
        descriptors, self._descriptors = self._descriptors, []
        gc.disable()
        pid = os.fork()
        if pid:
            gc.enable()
            for descriptor in descriptors:
                os.close(descriptor)
            self._send(Forked(id, pid))
            return
        status = 70
        try:
            self._leave_parent()
            become(descriptors)
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 70
        except BaseException:  # noqa: BLE001 - the end of a forked child: nothing may return into the parent's loop
            traceback.print_exc(file=sys.__stderr__)
        finally:
            if sys.__stderr__ is not None:
                with contextlib.suppress(OSError):
                    sys.__stderr__.flush()
            os._exit(status)

    def _leave_parent(self) -> None:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _become_trunk(self, settings: ExecutorSettings, edited: list[str], descriptors: list[int]) -> None:
        from convexpy.sandbox import worker

        def prepare(server: ForkServer) -> Prepared:
            before = threads()
            loader = server._loader = worker.app_loader(settings)
            left = loader.leave(edited)
            knobs = settings.knobs
            loader.load(
                camel=settings.camel,
                on_module=lambda name: server._send(Importing(name)),
                seconds=knobs.import_s,
                memory_bytes=knobs.executor_memory_bytes,
            )
            if loader.was_asked_for:
                raise ImportError(f"{loader.was_asked_for} is needed by a module whose code does not name it")
            if threads() > before and SURVIVES_FORK.isdisjoint(sys.modules):
                raise ImportError("modules of the app start threads, which a fork would lose")
            return Prepared(left)

        self._import_and_serve(descriptors, prepare)

    def _become_version(self, settings: ExecutorSettings, descriptors: list[int]) -> None:
        from convexpy.sandbox import analyze, worker

        def load(server: ForkServer) -> Loaded:
            app = worker.load_app(settings, lambda name: server._send(Importing(name)), self._loader)
            server._loaded = (settings, app)
            return Loaded(analyze.describe_app(app))

        self._import_and_serve(descriptors, load)

    @staticmethod
    def _import_and_serve(descriptors: list[int], run_import: Callable[[ForkServer], Report]) -> None:
        """Be a fork server of one's own, after an import whose report goes to the server first."""
        os.setsid()  # whatever the app starts is ended with it
        server = ForkServer(socket.socket(fileno=descriptors[0]))
        stack_dumps.install(descriptors[1])
        stack_dumps.note_own_end()
        try:
            report = run_import(server)
        except BaseException as error:  # noqa: BLE001 - whatever the app's modules raise is the answer to the push
            server._send(Failed(load_error(error)))
            os.killpg(0, signal.SIGKILL)
            return
        gc.freeze()  # without a collection first: it would cost a push more than what it frees
        server._send(report)
        server.run()
        os.killpg(0, signal.SIGKILL)

    def _become_executor(self, role: Role, descriptors: list[int]) -> None:
        from convexpy.sandbox import worker

        assert self._loaded is not None  # only version processes are told to
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        stream = socket.socket(fileno=descriptors[0])
        marker = CallMarker(descriptors[1])
        stack_dumps.install(descriptors[1])
        worker.run(role, stream, marker, *self._loaded)


def main() -> None:
    """Entry point: `python -m convexpy.sandbox.forkserver CONTROL_FD [database]`."""
    die_with_parent()
    os.setsid()
    # What every executor needs, imported once for all of them.
    importlib.import_module("convexpy.sandbox.worker")
    importlib.import_module("convexpy.sandbox.analyze")
    importlib.import_module("convexpy.sandbox.packages")
    if "database" in sys.argv[2:]:
        importlib.import_module("convexpy.persistence").load_driver()
    system.prepare()
    prefer_for_oom()
    hide_process()  # the variables of one version are not for another one
    gc.collect()
    gc.freeze()
    ForkServer(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
