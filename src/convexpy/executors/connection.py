"""The server's end of an executor: its ordered stream of frames, its marker, and its end.

An executor is anything with this shape: a process (`ProcessExecutor`), or the same code called directly
(`convexpy.testing`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Protocol, cast

from convexpy.executors.processor_wait import ProcessorWait, processor_wait
from convexpy.protocol import stack_dumps
from convexpy.protocol.call_marker import CallMarker, Running
from convexpy.protocol.frames import FromExecutor, ToExecutor, encode_frame, reader_of_results

ENDED_BY_SIGNAL = "its process was ended by"
ENDED = "its process ended"
SILENT = "it did not take a call"
DAMAGED = "app code has damaged it"
SEND_LATER_S = 0.05
SEND_LATER_BYTES_MAX = 1 << 16


def ended_from_outside(reason: str) -> bool:
    """Say whether an executor ended without having been told to and without an exit of its own."""
    return reason.startswith((ENDED, ENDED_BY_SIGNAL, SILENT))


class ExecutorConnection(Protocol):
    """What the dispatchers need of an executor."""

    on_frame: Callable[[FromExecutor], None]
    on_lost: Callable[[str, int], None]

    @property
    def pid(self) -> int:
        """The process, or 0 where there is none."""
        ...

    def begin(self) -> None:
        """Start to read the stream; `on_frame` and `on_lost` must be set."""
        ...

    def send(self, frame: ToExecutor) -> None:
        """Write a frame to the stream, in order."""
        ...

    def send_later(self, data: bytes) -> None:
        """Write a frame that `encode_frame` made and that nobody waits for: in front of the next one, or a little later.

        Most executors learn of a commit long before they are asked anything, and each frame alone would wake one up.
        """
        ...

    def running(self) -> Running | None:
        """Return what the call marker says."""
        ...

    def cpu_ns(self) -> int:
        """Return the CPU time that the executor has used."""
        ...

    def processor_wait(self) -> ProcessorWait | None:
        """Return how long it was ready to run while others had the processors; None where the system does not tell."""
        ...

    def last_beat(self) -> int:
        """Return when the event loop of an executor for actions turned last; it is told while actions run."""
        ...

    def revoke(self, call: int) -> None:
        """Have an executor for actions not begin any call up to this id."""
        ...

    def ask_where(self) -> None:
        """Have it write where its threads stand; `stands_at` knows a moment later."""
        ...

    def stands_at(self) -> str:
        """Return `convex/a.py:12 in f` for each thread that runs app code, as last written; empty if not known."""
        ...

    def interrupt(self) -> None:
        """End what the main thread of an executor for actions is running, if its loop does not turn."""
        ...

    def kill(self, reason: str, call: int = 0) -> None:
        """End it at once because of `call`; `on_lost` follows with the reason and the call that was running."""
        ...

    def close(self) -> None:
        """Close the stream: the executor ends when it has read what was sent."""
        ...


class ProcessExecutor(asyncio.Protocol):
    """An executor in a process of its own, over one end of a socket pair."""

    def __init__(self, pid: int, marker: CallMarker, stacks: int, label: str = "convex") -> None:
        """`stacks` is the descriptor of the memory that holds the call marker, closed here at the end."""
        self.pid = pid
        self._stacks = stacks
        self.label = label
        """What the developer calls the folder of the app."""
        self.on_frame: Callable[[FromExecutor], None] = lambda frame: None
        self.on_lost: Callable[[str, int], None] = lambda reason, call: None
        self._marker = marker
        self._reader = reader_of_results()
        self._transport: asyncio.WriteTransport | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._flush_scheduled = False
        self._later: asyncio.TimerHandle | None = None
        self._begun = False
        self._early = bytearray()
        self._ended_early = False
        self._closing = False
        self._kill_reason = ""
        self._kill_call = 0
        self._exit_status: int | None = None
        self._lost = False
        self._loop = asyncio.get_running_loop()

    async def attach(self, stream: socket.socket) -> None:
        """Start to read and write `stream`."""
        stream.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                stream.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        await self._loop.create_unix_connection(lambda: self, sock=stream)

    def begin(self) -> None:
        """Start to read the stream: nothing may arrive before somebody listens."""
        self._begun = True
        early, self._early = bytes(self._early), bytearray()
        if early:
            self.data_received(early)
        if self._ended_early:
            self.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by asyncio)."""
        # uvloop's transports are none of asyncio's classes, but have their methods.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(high=1 << 30)

    def data_received(self, data: bytes) -> None:
        """Hand complete frames on (called by asyncio); a malformed one counts as a crash."""
        if not self._begun:
            self._early += data
            return
        try:
            frames = self._reader.feed(data)
        except ValueError as error:
            self.kill(f"sent what is not a frame ({error})")
            return
        for frame in frames:
            self.on_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait a moment for the exit status, which says more than the end of the stream (called by asyncio)."""
        if not self._begun:
            self._ended_early = True
        elif self._closing or self._exit_status is not None or self._kill_reason:
            self._report()
        else:
            self._loop.call_later(0.25, self._report)

    def exited(self, status: int) -> None:
        """Take note of the exit status, which the fork server reports."""
        self._exit_status = status
        if not self._begun:
            return
        if self._transport is None or self._transport.is_closing():
            self._report()

    def _report(self) -> None:
        if self._lost:
            return
        crashed_at = "" if self._closing or self._kill_reason else self.stands_at()
        self._lost = True
        running = self._marker.read()
        self._marker.close()
        os.close(self._stacks)
        if self._closing:
            return
        call = running.call if running is not None else 0
        if self._kill_call and call != self._kill_call:
            call = 0  # what was to be punished had just ended; what began since is innocent
        reason = self._kill_reason or describe_exit(self._exit_status)
        self.on_lost(f"{reason} at {crashed_at}" if crashed_at else reason, call)

    def send(self, frame: ToExecutor) -> None:
        """Write a frame to the stream, in order; frames of one turn of the loop leave in one write."""
        self._pending.append(encode_frame(frame))
        self._flush_soon()

    def send_later(self, data: bytes) -> None:
        """Write a frame that nobody waits for in front of the next one, or a little later."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > SEND_LATER_BYTES_MAX:
            self._flush_soon()
        elif self._later is None:
            # Not cancelled by a flush: at most one timer runs, however many frames there are.
            self._later = self._loop.call_later(SEND_LATER_S, self._flush_later)

    def _flush_soon(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush_later(self) -> None:
        self._later = None
        if self._pending:
            self._flush()

    def _flush(self) -> None:
        self._flush_scheduled = False
        data, self._pending, self._pending_bytes = self._pending, [], 0
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(data) if len(data) > 1 else data[0])

    def running(self) -> Running | None:
        """Return what the call marker says."""
        return None if self._lost else self._marker.read()

    def cpu_ns(self) -> int:
        """Return the CPU time of the process; falls back to zero where the system does not tell."""
        try:
            return time.clock_gettime_ns((~self.pid << 3) | 2)
        except OSError:
            return 0

    def processor_wait(self) -> ProcessorWait | None:
        """Return how long the process was ready to run while others had the processors."""
        return processor_wait(self.pid)

    def last_beat(self) -> int:
        """Return when the event loop turned last."""
        return 0 if self._lost else self._marker.last_beat()

    def revoke(self, call: int) -> None:
        """Revoke the calls up to this id that have not begun."""
        if not self._lost:
            self._marker.revoke(call)

    def ask_where(self) -> None:
        """Have it write where its threads stand; `stands_at` knows a moment later, unless it is stopped."""
        if not self._lost:
            stack_dumps.ask(self._stacks, self.pid)

    def stands_at(self) -> str:
        """Return `convex/a.py:12 in f`, as last written, for each thread that runs app code; empty if not known."""
        if self._lost:
            return ""
        return stack_dumps.described(stack_dumps.read(self._stacks, f"{self.label}/"))

    def interrupt(self) -> None:
        """End what its main thread is running, if that has run for too long."""
        if not self._lost:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, stack_dumps.INTERRUPT)

    def kill(self, reason: str, call: int = 0) -> None:
        """Kill the process group; complete frames that have arrived still count."""
        if not self._kill_reason:
            self._kill_reason, self._kill_call = reason, call
        if not self._lost:
            kill_group(self.pid)

    def close(self) -> None:
        """Close the stream; the executor ends at end-of-file."""
        self._closing = True
        if self._later is not None:
            self._later.cancel()
        self._flush()
        if self._transport is not None:
            self._transport.close()


def kill_group(pid: int) -> None:
    """Kill a child and its process group, as far as they are there."""
    if pid <= 0:
        return
    for target in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            target(pid, signal.SIGKILL)


def describe_exit(status: int | None) -> str:
    """Return how a process ended, in words; None means that nobody has heard of its exit."""
    if status is None:
        return ENDED
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"{ENDED_BY_SIGNAL} {signal.Signals(-status).name}"
    return f"its process exited with status {status}"
