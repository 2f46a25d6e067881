"""The process around an action executor: reads frames, tells the server that its loop turns, outlives what actions do to it.

A reader thread takes frames, so the end of the server is noticed even while an action keeps the loop busy. While actions
run, the loop writes the time of each turn into the call marker, so that the server notices a loop that does not turn.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from types import FrameType

from convexpy.limits import ACTION_THREAD_STACK_BYTES, LOOP_BEAT_S
from convexpy.protocol import stack_dumps
from convexpy.protocol.call_marker import CallMarker
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import Damaged, FromExecutor, Ready, Stop, encode_frame, reader_of_calls
from convexpy.sandbox.action_executor import ActionExecutor
from convexpy.sandbox.damage import Health
from convexpy.sandbox.loader import LoadedApp

LAST_BEATS = 4
"""So many more beats after the last action has ended: what it has left behind is looked at meanwhile."""
TURNING_S = 1.0
"""A loop that has turned so lately is not blocked."""
FAILED = 70


class ActionWorker:
    """The process around an `ActionExecutor`."""

    def __init__(
        self, app: LoadedApp, settings: ExecutorSettings, stream: socket.socket, marker: CallMarker
    ) -> None:
        self._app = app
        self._settings = settings
        self._stream = stream
        self._marker = marker
        self._write_lock = threading.Lock()
        self._health = Health(for_actions=True)
        self._is_damaged = False
        self._beats_left = 0
        self._beating = False
        self._turned_at = time.monotonic()
        self._executor: ActionExecutor
        self._loop: asyncio.AbstractEventLoop

    def run(self) -> None:
        """Serve the stream until the server closes it."""
        threading.stack_size(ACTION_THREAD_STACK_BYTES)
        with asyncio.Runner() as runner:
            self._loop = loop = runner.get_loop()
            main = loop.create_task(self._main())
            while True:
                try:
                    loop.run_until_complete(main)
                    return
                except (SystemExit, KeyboardInterrupt, RuntimeError):
                    # A task or callback that an action has left on the loop exits, or stops the loop: others go on.
                    if main.done():
                        raise

    async def _main(self) -> None:
        self._executor = executor = ActionExecutor(
            self._app, self._settings, self._send, is_revoked=self._marker.is_revoked
        )
        executor.began_beating = self._begin_beating
        executor.on_unanswered = lambda: os._exit(FAILED)
        stack_dumps.on_interrupt(self._interrupted)
        ended: asyncio.Future[None] = self._loop.create_future()
        self._send(Ready(os.getpid()))
        threading.Thread(target=self._read, args=(ended,), name="convexpy-reader", daemon=True).start()
        await ended
        await executor.close()

    def _read(self, ended: asyncio.Future[None]) -> None:
        try:
            reader = reader_of_calls()
            while data := self._stream.recv(1 << 18):
                for frame in reader.feed(data):
                    if isinstance(frame, Stop):
                        self._loop.call_soon_threadsafe(ended.set_result, None)
                        return
                    self._loop.call_soon_threadsafe(self._executor.handle, frame)
        except BaseException:  # noqa: BLE001 - without a reader nothing would ever be done here again
            os._exit(FAILED)
        os._exit(0)  # the server is gone: whatever runs here has nobody to answer to

    # The loop turns

    def _begin_beating(self) -> None:
        self._beats_left = LAST_BEATS
        if not self._beating:
            self._beating = True
            self._beat()

    def _beat(self) -> None:
        self._marker.beat()
        self._turned_at = time.monotonic()
        self._beats_left = LAST_BEATS if self._executor.is_busy else self._beats_left - 1
        self._look_at_health()
        self._beating = self._beats_left > 0
        if self._beating:
            self._loop.call_later(LOOP_BEAT_S, self._beat)

    def _look_at_health(self) -> None:
        """Ask to be replaced when an action has damaged this process; threads may work while actions run."""
        complaint = self._health.complaint(threads_may_work=self._executor.is_busy)
        if complaint and not self._is_damaged:
            self._is_damaged = True
            self._send(Damaged(complaint))

    def _interrupted(self, frame: FrameType | None) -> None:
        if time.monotonic() - self._turned_at > TURNING_S:
            self._executor.interrupted()

    def _send(self, frame: FromExecutor) -> None:
        data = encode_frame(frame)
        try:
            with self._write_lock:
                self._stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader will notice
        except OSError:
            os._exit(FAILED)  # an action has closed the stream: nobody would hear of anything again
