"""Messages to a client leave in order, and a response with the Transition that follows it in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from convexpy.http.socket import DIRECT_BYTES_MAX, SocketTransport
from convexpy.limits import Knobs

Case = Callable[["Bench"], Awaitable[None]]


class Bench:
    """A transport whose client takes frames at once, or not."""

    def __init__(self) -> None:
        self.takes = True
        self.writes: list[list[bytes]] = []
        self.queued: list[bytes] = []
        self.transport = SocketTransport(self._send, Knobs(), self._write)

    def _write(self, data: bytes) -> bool:
        if self.takes:
            frames = []
            while data:
                frames.append(data[2 : 2 + data[1]])
                data = data[2 + data[1] :]
            self.writes.append(frames)
        return self.takes

    async def _send(self, event: dict[str, Any]) -> None:
        self.queued.append(event["text"].encode()[:20])


def run(case: Case) -> None:
    async def inside() -> None:
        bench = Bench()
        await case(bench)
        await bench.transport.end()

    asyncio.run(inside())


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_response_and_its_transition_leave_together() -> None:
    async def case(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: bench.transport.send(b"transition", transition=True))
        bench.transport.send(b"response 1")
        bench.transport.send(b"response 2")
        assert bench.writes == []
        await turns()
        assert bench.writes == [[b"response 1", b"response 2", b"transition"]]

    run(case)


def test_a_response_alone_leaves_in_the_next_turn() -> None:
    async def case(bench: Bench) -> None:
        bench.transport.send(b"response")
        await turns()
        assert bench.writes == [[b"response"]]

    run(case)


@pytest.mark.parametrize("size", [10, DIRECT_BYTES_MAX + 1])
@pytest.mark.parametrize("takes", [True, False])
def test_the_order_is_kept_by_what_is_queued(size: int, takes: bool) -> None:
    async def case(bench: Bench) -> None:
        bench.takes = takes
        bench.transport.send(b"response")
        bench.transport.send(b"t" * size, transition=True)
        bench.takes = True
        bench.transport.send(b"last")
        await turns()
        written = [message for write in bench.writes for message in write]
        assert [each[:4] for each in written + bench.queued] == [b"resp", b"tttt", b"last"]

    run(case)
