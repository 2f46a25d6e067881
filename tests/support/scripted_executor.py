"""An executor whose answers a test writes: the other end of a dispatcher, without a process."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from convexpy.database._entries import TransactionRecord, Write, encode_write_set
from convexpy.executors.processor_wait import ProcessorWait
from convexpy.protocol.call_marker import Running
from convexpy.protocol.frames import (
    Call,
    CallFailure,
    FromExecutor,
    Result,
    ToExecutor,
    ended_action,
    reader_of_calls,
)

TABLET = 1001


class ScriptedExecutor:
    """Keeps what it is sent; `answer` and `fail` send results back."""

    def __init__(self, pid: int = 1) -> None:
        self.pid = pid
        self.frames: list[ToExecutor] = []
        self.closed = False
        self.now_running: Running | None = None
        self.used_ns = 0
        self.on_frame: Callable[[FromExecutor], None] = lambda frame: None
        self.on_lost: Callable[[str, int], None] = lambda reason, call: None

    @property
    def calls(self) -> list[Call]:
        return [frame for frame in self.frames if isinstance(frame, Call)]

    def answer(
        self,
        call: int,
        *,
        writes: bool | str = False,
        reads: str = "",
        epoch: int = 0,
        failure: CallFailure | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Send a result; `writes` and `reads` name documents of one table, a letter each."""
        result: Result = ended_action(call, b'"done"', failure, seconds)
        written = writes if isinstance(writes, str) else ""
        found = [Write(TABLET, id, b"{}", []) for id in written]
        record = TransactionRecord(f"op{call}", "app:f", found, None)
        blob = encode_write_set(record, max_creation_time=0.0).encoded if writes else b""
        ranges = [(-TABLET, id.encode(), id.encode() + b"\0") for id in sorted(reads)]
        self.on_frame(msgspec.structs.replace(result, writes=blob, reads=ranges, epoch=epoch))

    def begin(self) -> None:
        pass

    def send(self, frame: ToExecutor) -> None:
        self.frames.append(frame)

    def send_later(self, data: bytes) -> None:
        self.frames += reader_of_calls().feed(data)

    def running(self) -> Running | None:
        return self.now_running

    def cpu_ns(self) -> int:
        return self.used_ns

    def processor_wait(self) -> ProcessorWait | None:
        return None

    def last_beat(self) -> int:
        return 0

    def revoke(self, call: int) -> None:
        pass

    def ask_where(self) -> None:
        pass

    def stands_at(self) -> str:
        return ""

    def interrupt(self) -> None:
        pass

    def kill(self, reason: str, call: int = 0) -> None:
        self.on_lost(reason, call)

    def close(self) -> None:
        self.closed = True
