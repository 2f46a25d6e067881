"""The process around an executor: reads frames from its stream, writes replies in batches, keeps to its limits.

An executor that reads end-of-file exits: its server is gone. Replies wait for at most half a millisecond of further
frames, so that a quick call is not answered late because a slow one came with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from convexpy.database import Store
from convexpy.persistence import StoreUnreachable, open_reader
from convexpy.protocol import stack_dumps
from convexpy.protocol.call_marker import CallMarker
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import Role
from convexpy.protocol.frames import (
    NO_DATABASE,
    Call,
    Damaged,
    FromExecutor,
    Paused,
    Ready,
    Stop,
    encode_frame,
    reader_of_calls,
)
from convexpy.runtime import SystemClock, prefer_for_oom
from convexpy.sandbox import capture, debugging, guards
from convexpy.sandbox.action_worker import ActionWorker
from convexpy.sandbox.damage import CHECK_EVERY_S, ExecutorDamaged, Health
from convexpy.sandbox.executor import Executor
from convexpy.sandbox.loader import AppLoader, LoadedApp
from convexpy.sandbox.loading.import_limits import limit_memory
from convexpy.sandbox.packages import use_packages

READ_BYTES = 1 << 18
REPLY_WAIT_S = 0.0005
REPLY_BATCH_BYTES = 1 << 16
IDLE_S = 0.1
GC_ALLOCATIONS = 20_000
"""Calls make few cycles: collecting at every 700 allocations, Python's default, is mostly for nothing."""


def app_loader(settings: ExecutorSettings) -> AppLoader:
    """Return the loader of the app that the settings name; capture and guards are in place before its first line runs."""
    cache = Path(settings.code_cache) if settings.code_cache else None
    capture.install()
    guards.install()
    debugging.install(settings.debugger)
    return AppLoader(Path(settings.folder), label=settings.label, cache=cache)


def load_app(
    settings: ExecutorSettings,
    on_module: Callable[[str], None] = lambda name: None,
    loader: AppLoader | None = None,
) -> LoadedApp:
    """Import the app that the settings name, or what `loader` has left of it.

    `on_module` is told of each module before it is imported.

    Raises:
        ProjectError: it does not import within its limits, or defines something that makes no sense.
    """
    knobs = settings.knobs
    load = app_loader(settings).load if loader is None else partial(loader.load_rest, Path(settings.folder))
    return load(
        camel=settings.camel,
        on_module=on_module,
        seconds=knobs.import_s,
        memory_bytes=knobs.executor_memory_bytes,
    )


def run(
    role: Role, stream: socket.socket, marker: CallMarker, settings: ExecutorSettings, app: LoadedApp
) -> None:
    """Serve the stream until the server closes it."""
    sys.dont_write_bytecode = True
    _seed()
    gc.enable()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
    if settings.editor:
        from convexpy.sandbox import editor

        editor.attach(settings.editor)
    memory = settings.knobs.executor_memory_bytes
    if role == "actions":
        _limit_memory(settings.knobs.action_executor_memory_bytes)
        ActionWorker(app, settings, stream, marker).run()
        return
    _limit_memory(memory)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _TransactionWorker(stream, marker, settings, app).run()


def _seed() -> None:
    """Seed the generators that the app's modules share: a fork has inherited their state, like its siblings."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def _limit_memory(limit_bytes: int) -> None:
    limit_memory(limit_bytes)
    prefer_for_oom()


class _TransactionWorker:
    """The loop of an executor for queries and mutations."""

    def __init__(
        self, stream: socket.socket, marker: CallMarker, settings: ExecutorSettings, app: LoadedApp
    ) -> None:
        self._stream = stream
        self._marker = marker
        self._replies: list[bytes] = []
        self._replies_bytes = 0
        self._replies_since = 0.0
        self._store = Store(
            open_reader(settings.data_address, may_advance=True),
            clock=SystemClock(),
            cursor_key=settings.cursor_key,
        )
        self._health = Health()
        executor = Executor(app, self._store, settings, self._reply, self._health)
        self._handle = executor.handle
        if settings.debugger:
            debugged = debugging.TransactionsDebugged(executor.handle, settings.debugger, self._paused)
            self._handle = debugged.handle

    def run(self) -> None:
        reader = reader_of_calls()
        self._reply(Ready(os.getpid()))
        self._flush()
        stream, handle, marker = self._stream, self._handle, self._marker
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        busy = False
        health = self._health
        while True:
            if busy and not poll.poll(IDLE_S * 1000):
                self._store.idle()
                self._require_health()
                busy = False
            while health.has_threads and not poll.poll(CHECK_EVERY_S * 1000):
                self._require_health()
            data = stream.recv(READ_BYTES)
            if not data:
                return
            busy = True
            for frame in reader.feed(data):
                if isinstance(frame, Stop):
                    self._flush()
                    return
                if isinstance(frame, Call):
                    if self._replies and time.monotonic() - self._replies_since > REPLY_WAIT_S:
                        self._flush()
                    marker.begin(frame.id)
                    try:
                        handle(frame)
                    except SystemExit:
                        self._flush()
                        raise
                    except ExecutorDamaged as damage:
                        marker.end()  # the call has not run: the server runs it again, elsewhere
                        self._give_up(str(damage))
                    marker.end()
                else:
                    try:
                        handle(frame)
                    except StoreUnreachable as error:
                        self._give_up(f"{NO_DATABASE}: {error}")
            self._flush()
            if health.is_due:
                self._require_health()

    def _require_health(self) -> None:
        """End this process if app code has damaged it; what was answered is answered."""
        complaint = self._health.complaint()
        if complaint:
            self._give_up(complaint)

    def _give_up(self, reason: str) -> NoReturn:
        self._reply(Damaged(reason))
        self._flush()
        raise SystemExit(70)

    def _paused(self, frame: Paused) -> None:
        if frame.paused:
            _ = (
                self._store.catalog
            )  # opens the read transaction: from now on the checkpoint may move without us
        self._reply(frame)
        self._flush()

    def _reply(self, frame: FromExecutor) -> None:
        if not self._replies:
            self._replies_since = time.monotonic()
        data = encode_frame(frame)
        self._replies.append(data)
        self._replies_bytes += len(data)
        if self._replies_bytes > REPLY_BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._replies:
            data = b"".join(self._replies)
            self._replies.clear()
            self._replies_bytes = 0
            self._stream.sendall(data)


def main(arguments: list[str]) -> None:
    """Entry point of an executor that is started fresh: `STREAM_FD WORD_FD PACKAGE…`.

    It imports the packages, then waits for its role and settings on standard input; end-of-file without them ends it.
    """
    stream_fd, marker_fd, *packages = arguments
    use_packages()
    for package in packages:
        with contextlib.suppress(Exception):
            importlib.import_module(package)
    message = sys.stdin.buffer.read()
    if not message:
        return
    start = msgspec.json.decode(message, type=StartMessage)
    stream = socket.socket(fileno=int(stream_fd))
    stack_dumps.install(int(marker_fd))
    stack_dumps.note_own_end()
    app = load_app(start.settings)
    run(start.role, stream, CallMarker(int(marker_fd)), start.settings, app)


class StartMessage(msgspec.Struct):
    """What a fresh interpreter is sent when it becomes an executor."""

    role: Role
    settings: ExecutorSettings


if __name__ == "__main__":
    main(sys.argv[1:])
