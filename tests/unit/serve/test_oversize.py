"""Messages above the limit are passed by, however their frames are cut and whatever comes between them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from convexpy.serve import oversize
from convexpy.serve.oversize import CONTROL_FRAME_BYTES_MAX, FrameFilter, OversizeMessage

LIMIT = 200


class Receiver:
    """A WebSocket connection behind the filter, as the server has it."""

    def __init__(self) -> None:
        self.protocol = Protocol(Side.SERVER, state=OPEN, max_size=LIMIT + CONTROL_FRAME_BYTES_MAX)
        self.oversize: list[OversizeMessage] = []
        self.filter = FrameFilter(LIMIT, self.take, self.begun, self.oversize.append)
        self.frames: list[bytes] = []
        self.seen: list[bytes] = []
        self.pings = 0
        self.drops = False

    def begun(self) -> bytes:
        self.drops = True
        return b"".join(self.frames)

    def take(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        assert self.protocol.parser_exc is None, self.protocol.parser_exc
        for frame in self.protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PING:
                self.pings += 1
                continue
            self.frames = [*([] if frame.opcode is Opcode.TEXT else self.frames), bytes(frame.data)]
            if frame.fin:
                if not self.drops:
                    self.seen.append(b"".join(self.frames))
                self.drops, self.frames = False, []


def wire(message: bytes, parts: int, *, ping: bool = False) -> bytes:
    """Return a message of a client, in so many frames."""
    cuts = sorted(random.sample(range(len(message) + 1), parts - 1)) if parts > 1 else []
    pieces = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
    out = b""
    for number, piece in enumerate(pieces):
        opcode = Opcode.CONT if number else Opcode.TEXT
        out += Frame(opcode, piece, fin=number == len(pieces) - 1).serialize(mask=True)
        if ping:
            out += Frame(Opcode.PING, b"x").serialize(mask=True)
    return out


def call(order: str, size: int, request: int, kind: str = "Mutation") -> bytes:
    pairs: dict[str, Any] = {
        "type": kind,
        "requestId": request,
        "udfPath": "a:b",
        "args": [{"x": "y" * size}],
    }
    if order == "args first":
        pairs = dict(sorted(pairs.items()))
    return json.dumps(pairs).encode()


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 4), st.booleans(), st.sampled_from(["args first", "args last"])), max_size=6),
    st.integers(1, 700),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_what_fits_arrives_and_what_does_not_is_named(sent: Any, chunk: int, rng: Any) -> None:
    random.seed(rng.random())
    receiver = Receiver()
    stream, expected, oversize, pings = b"", [], [], 0
    for number, (size, parts, ping, order) in enumerate(sent):
        message = call(order, size, number)
        stream += wire(message, parts, ping=ping)
        pings += parts * ping
        if len(message) <= LIMIT:
            expected.append(message)
        else:
            oversize.append(OversizeMessage(len(message), "mutation", number))
    for start in range(0, len(stream), chunk):
        receiver.filter.feed(stream[start : start + chunk])
    assert receiver.seen == expected
    assert receiver.oversize == oversize
    assert receiver.pings == pings


@pytest.mark.parametrize(
    "message",
    [
        b"x" * 300,
        json.dumps({"type": "ModifyQuerySet", "baseVersion": 0, "modifications": ["x" * 300]}).encode(),
        json.dumps({"args": ['","requestId":7,"type":"Mutation","udfPath":"a:b"}' + "x" * 300]}).encode(),
        json.dumps({"args": [{"x": "y" * 300, "z": {"requestId": 7, "type": "Mutation"}}]}).encode(),
        json.dumps({"args": ["x" * 300], "requestId": 2**32, "type": "Mutation"}).encode(),
        json.dumps({"args": ["x" * 300], "requestId": -1, "type": "Mutation"}).encode(),
        json.dumps({"args": ["x" * 300], "type": "Mutation"}).encode(),
    ],
)
def test_a_message_that_is_no_call_is_nobodys(message: bytes) -> None:
    receiver = Receiver()
    receiver.filter.feed(wire(message, 1))
    assert receiver.oversize == [OversizeMessage(len(message), None, None)]


def test_a_message_without_an_end_is_given_up_once() -> None:
    receiver = Receiver()
    receiver.filter.feed(Frame(Opcode.TEXT, b"x" * 300, fin=False).serialize(mask=True))
    for _ in range(50):
        receiver.filter.feed(Frame(Opcode.CONT, b"x" * 100, fin=False).serialize(mask=True))
    assert [each.kind for each in receiver.oversize] == [None]
    assert receiver.seen == []


def test_a_message_of_very_many_frames_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oversize, "SOCKET_FRAMES_MAX", 50)
    receiver = Receiver()
    for first, count in ((call("args last", 0, 1)[:-1], 49), (call("args last", 0, 2)[:-1], 80)):
        receiver.filter.feed(Frame(Opcode.TEXT, first, fin=False).serialize(mask=True))
        for _ in range(count - 1):
            receiver.filter.feed(Frame(Opcode.CONT, b"", fin=False).serialize(mask=True))
        receiver.filter.feed(Frame(Opcode.CONT, b"}", fin=True).serialize(mask=True))
    assert receiver.seen == [call("args last", 0, 1)]
    assert receiver.oversize == [OversizeMessage(len(call("args last", 0, 2)), "mutation", 2)]


@pytest.mark.parametrize("text", ["{}", "é" * 60, "x" * 125, "x" * 126, "x" * 190])
def test_a_message_that_comes_whole_and_alone_is_read_at_once(text: str) -> None:
    data = Frame(Opcode.TEXT, text.encode()).serialize(mask=True)
    receiver = Receiver()
    assert receiver.filter.whole_text(data) == text
    for other in (data[:-1], data + b"x", data + data, b""):
        assert receiver.filter.whole_text(other) is None


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"xxx", fin=False),
        Frame(Opcode.BINARY, b"xxx"),
        Frame(Opcode.CLOSE, b"\x03\xe8x"),
        Frame(Opcode.TEXT, b"\xff\xff\xff"),
        Frame(Opcode.TEXT, b"x" * LIMIT),
    ],
)
def test_other_frames_are_left_to_the_library(frame: Frame) -> None:
    assert Receiver().filter.whole_text(frame.serialize(mask=True)) is None


def test_a_message_within_another_is_left_to_the_library() -> None:
    receiver = Receiver()
    data = Frame(Opcode.TEXT, b"xxx").serialize(mask=True)
    receiver.filter.feed(Frame(Opcode.TEXT, b"begun", fin=False).serialize(mask=True))
    assert receiver.filter.whole_text(data) is None
    receiver.filter.feed(Frame(Opcode.CONT, b" and ended").serialize(mask=True))
    assert receiver.filter.whole_text(data) == "xxx"
    receiver.filter.feed(data[:3])
    assert receiver.filter.whole_text(data) is None
