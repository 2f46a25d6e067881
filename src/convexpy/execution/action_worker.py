"""The process around an action executor: a reader thread takes frames even while an action keeps the loop busy.

So a call that has not begun can be handed to another executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading

from convexpy.execution.actions import REVOKED, ActionExecutor
from convexpy.execution.loader import LoadedApp
from convexpy.execution.settings import ExecutorSettings
from convexpy.protocol.frames import (
    Call,
    CallFailure,
    CancelCall,
    FromExecutor,
    Ready,
    Stop,
    ToExecutor,
    encode_frame,
    ended_action,
    reader_of_calls,
)


class ActionWorker:
    """The process around an `ActionExecutor`."""

    def __init__(self, app: LoadedApp, settings: ExecutorSettings, stream: socket.socket) -> None:
        self._app = app
        self._settings = settings
        self._stream = stream
        self._write_lock = threading.Lock()
        self._waiting: dict[int, Call] = {}
        self._waiting_lock = threading.Lock()

    def run(self) -> None:
        """Serve the stream until the server closes it."""
        asyncio.run(self._main())

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        executor = ActionExecutor(self._app, self._settings, self._send, claim=self._claim)
        ended: asyncio.Future[None] = loop.create_future()

        def read() -> None:
            reader = reader_of_calls()
            with contextlib.suppress(OSError, ValueError):
                while data := self._stream.recv(1 << 18):
                    for frame in reader.feed(data):
                        if isinstance(frame, Stop):
                            loop.call_soon_threadsafe(ended.set_result, None)
                            return
                        self._take(frame, loop, executor)
            # End of file: the server is gone. Whatever runs here has nobody to answer to.
            os._exit(0)

        self._send(Ready(os.getpid()))
        threading.Thread(target=read, name="convexpy-reader", daemon=True).start()
        await ended
        await executor.close()

    def _claim(self, call: int) -> bool:
        """Say that this call begins now, unless it was revoked."""
        with self._waiting_lock:
            return self._waiting.pop(call, None) is not None

    def _take(
        self,
        frame: ToExecutor,
        loop: asyncio.AbstractEventLoop,
        executor: ActionExecutor,
    ) -> None:
        """Handle a frame in the reader thread: everything goes to the loop, but a call that waits can be revoked here."""
        if isinstance(frame, Call):
            with self._waiting_lock:
                self._waiting[frame.id] = frame
        if isinstance(frame, CancelCall):
            with self._waiting_lock:
                revoked = self._waiting.pop(frame.id, None)
            if revoked is not None:
                failure = CallFailure(REVOKED, frame.reason, function=revoked.path)
                self._send(ended_action(frame.id, b"null", failure))
                return
        loop.call_soon_threadsafe(executor.handle, frame)

    def _send(self, frame: FromExecutor) -> None:
        data = encode_frame(frame)
        with self._write_lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._stream.sendall(data)
