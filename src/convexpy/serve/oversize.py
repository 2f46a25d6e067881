"""WebSocket messages above the limit: passed by without being kept, but for what says which call they are.

A library closes the connection when a message is too large. The client then comes back and sends the same again, for ever.
So frames are followed here before the library sees them: those of a message that is too large do not reach it, and only the
beginning and the end of the message are kept, where clients write type and request id.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from websockets.utils import apply_mask

from convexpy.limits import SOCKET_FRAMES_MAX, SOCKET_SKIPPED_FACTOR

KEPT_BYTES = 4096
CONTROL_FRAME_BYTES_MAX = 125
"""What a ping may have: the library adds it to the message that it interrupts."""
END_OF_MESSAGE = b"\x80\x80\x00\x00\x00\x00"
"""An empty last frame, masked with zeros: ends a message whose beginning the library has already."""
_PAIR = rb'"(?:type|requestId|udfPath|componentPath)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[0-9]+|null)'
_HEAD = re.compile(rb"\s*\{\s*(?:" + _PAIR + rb"\s*,\s*)+")
_TAIL = re.compile(rb"(?:,\s*" + _PAIR + rb"\s*)+\}\s*\Z")
_KIND = re.compile(rb'"type"\s*:\s*"(Mutation|Action)"')
_REQUEST = re.compile(rb'"requestId"\s*:\s*([0-9]{1,10})\b')


class OversizeMessage(NamedTuple):
    """What is known of a message that was too large: its size, and whose it is if it is a call."""

    size: int
    kind: Literal["mutation", "action"] | None
    request_id: int | None


class _Skipped:
    """The beginning and the end of a message."""

    def __init__(self, beginning: bytes) -> None:
        self.size = len(beginning)
        self._head = beginning[:KEPT_BYTES]
        self._tail = beginning[-KEPT_BYTES:]

    def take(self, data: bytes) -> None:
        self.size += len(data)
        if len(self._head) < KEPT_BYTES:
            self._head += data[: KEPT_BYTES - len(self._head)]
        self._tail = data[-KEPT_BYTES:] if len(data) >= KEPT_BYTES else (self._tail + data)[-KEPT_BYTES:]

    def described(self) -> OversizeMessage:
        """Look for the pairs before and behind the arguments: within them there is no unescaped quotation mark to mistake."""
        head, tail = _HEAD.match(self._head), _TAIL.search(self._tail)
        pairs = (head[0] if head else b"") + (tail[0] if tail else b"")
        kind, request = _KIND.search(pairs), _REQUEST.search(pairs)
        if kind is None or request is None or int(request[1]) >= 2**32:
            return OversizeMessage(self.size, None, None)
        return OversizeMessage(self.size, "mutation" if kind[1] == b"Mutation" else "action", int(request[1]))


class FrameFilter:
    """Passes frames on, but those of messages above a limit.

    `pass_on` gets bytes for the library; `begun` returns what it has of a message that turns out to be too large;
    `skipped` is told of each.
    """

    def __init__(
        self,
        limit: int,
        pass_on: Callable[[bytes], None],
        begun: Callable[[], bytes],
        skipped: Callable[[OversizeMessage], None],
    ) -> None:
        self._limit = limit
        self._pass_on = pass_on
        self._begun = begun
        self._on_skipped = skipped
        self._pending = b""
        self._left = 0
        self._message_bytes = self._message_frames = 0
        self._in_message = False
        self._skipping: _Skipped | None = None
        self._skips_frame = self._frame_is_last = self._gave_up = False
        self._mask, self._offset = b"\0\0\0\0", 0

    @property
    def _is_between(self) -> bool:
        return not (self._left or self._pending or self._in_message or self._skipping)

    def whole_text(self, data: bytes) -> str | None:
        """Return the text of the message that these bytes are, neither more nor less; None if they are anything else."""
        if len(data) > self._limit or not self._is_between or not _is_one_small_message(data):
            return None
        start = 6 if data[1] < 0xFE else 8
        try:
            return apply_mask(data[start:], data[start - 4 : start]).decode()
        except UnicodeDecodeError:
            return None  # the library closes the connection

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection."""
        if self._is_between and len(data) <= self._limit and _is_one_small_message(data):
            self._pass_on(data)
            return
        data = self._pending + data
        self._pending = b""
        start = position = 0  # what is between the two is passed on
        while position < len(data):
            if self._left:
                size = min(self._left, len(data) - position)
                if self._skips_frame:
                    self._skip(data[position : position + size])
                    start = position + size
                position += size
                self._left -= size
                if not self._left:
                    self._end_frame()
                continue
            header = _header(data, position)
            if header is None:
                break
            if self._begin_frame(data, header, data[start:position]):
                start = header.end
            position = header.end
            if not self._left:
                self._end_frame()
        if position > start:
            self._pass_on(data[start:position])
        self._pending = data[position:]

    def _begin_frame(self, data: bytes, header: _Header, before: bytes) -> bool:
        """Begin a frame; say whether it is skipped, in which case `before` was passed on."""
        self._left = header.length
        self._skips_frame = False
        if header.opcode >= 8:
            return False
        self._message_frames = self._message_frames + 1 if self._in_message else 1
        too_large = self._skipping is None and (
            self._message_bytes + header.length > self._limit or self._message_frames > SOCKET_FRAMES_MAX
        )
        if self._skipping is None and not too_large:
            self._in_message = not header.is_last
            self._message_bytes = 0 if header.is_last else self._message_bytes + header.length
            return False
        if before:
            self._pass_on(before)
        if too_large:
            self._skipping = _Skipped(self._begun() if self._in_message else b"")
            if self._in_message:
                self._pass_on(END_OF_MESSAGE)
            self._in_message, self._message_bytes = False, 0
        self._skips_frame, self._frame_is_last = True, header.is_last
        self._mask, self._offset = header.mask, 0
        return True

    def _skip(self, piece: bytes) -> None:
        assert self._skipping is not None
        turn = self._offset % 4
        self._offset += len(piece)
        self._skipping.take(apply_mask(piece, self._mask[turn:] + self._mask[:turn]))
        if self._skipping.size > SOCKET_SKIPPED_FACTOR * self._limit and not self._gave_up:
            self._gave_up = True
            self._on_skipped(OversizeMessage(self._skipping.size, None, None))

    def _end_frame(self) -> None:
        if self._skips_frame and self._frame_is_last and self._skipping is not None:
            skipped, self._skipping = self._skipping, None
            if not self._gave_up:
                self._on_skipped(skipped.described())
        self._skips_frame = False


class _Header(NamedTuple):
    opcode: int
    is_last: bool
    length: int
    mask: bytes
    end: int


def _header(data: bytes, start: int) -> _Header | None:
    """Return the frame header at a place; None if it is not complete."""
    if len(data) < start + 2:
        return None
    first, second = data[start], data[start + 1]
    length, position = second & 0x7F, start + 2
    if length >= 126:
        size = 2 if length == 126 else 8
        length = int.from_bytes(data[position : position + size], "big")
        position += size
    end = position + (4 if second & 0x80 else 0)
    if len(data) < end:
        return None
    return _Header(first & 0x0F, bool(first & 0x80), length, data[position:end] or b"\0\0\0\0", end)


def _is_one_small_message(data: bytes) -> bool:
    """Say whether this is exactly one masked text message in one frame, as nearly always."""
    if len(data) < 8 or data[0] != 0x81:
        return False
    length = data[1]
    if length == 0xFE:
        return len(data) == 8 + (data[2] << 8) + data[3]
    return length >= 0x80 and length < 0xFE and len(data) == length - 0x80 + 6
