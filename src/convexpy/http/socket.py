"""The sync WebSocket: bounded buffers, a task that writes while the client is slow, an application ping after silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from convexpy.engine.function_runner import FunctionRunner
from convexpy.http.messages import Receive, Scope, Send
from convexpy.limits import SOCKET_CONNECT_WITHIN_S, Knobs
from convexpy.protocol import sync
from convexpy.sync import ActionShares, Hub, Session

CHUNKS_SINCE = (1, 28)
CLOSE_WITHIN_S = 5.0
WRITE_FRAME = "convexpy.write_frame"
"""The ASGI extension by which a server lets a whole frame be written at once."""
ON_MESSAGE = "convexpy.on_message"
"""The ASGI extension by which a server hands over a message when it arrives, while none waits before it."""
OVERSIZE = "convexpy.oversize"
"""In place of the text of a message that is too large: its size, and kind and request id of the call if they are known."""
LOOKS_WITHIN = 4
"""How often sockets are looked at within the interval of pings."""
DIRECT_BYTES_MAX = 64 * 1024
"""A larger message takes the queue: there it is counted while the client reads it."""


class _Framed:
    """The newest message as a WebSocket frame: one Transition goes to thousands of sockets."""

    def __init__(self) -> None:
        self._message = self._frame = b""

    def frame(self, message: bytes) -> bytes:
        """Return a text frame: the server's are not masked (RFC 6455, 5.2)."""
        if message is not self._message:
            size = len(message)
            if size < 126:
                head = bytes((0x81, size))
            elif size < 1 << 16:
                head = b"\x81\x7e" + size.to_bytes(2, "big")
            else:
                head = b"\x81\x7f" + size.to_bytes(8, "big")
            self._message, self._frame = message, head + message
        return self._frame


_framed = _Framed()


def _cannot(frame: bytes) -> bool:
    """Stand in where the server has no way to write a frame at once."""
    return False


class SocketTransport:
    """Writes messages to one client in order: at once while the client keeps up, else from a queue."""

    def __init__(self, send: Send, knobs: Knobs, write_frame: Callable[[bytes], bool] = _cannot) -> None:
        self._loop = asyncio.get_running_loop()
        self._write_frame = write_frame
        self._send = send
        self._knobs = knobs
        self._held: list[bytes] = []
        self._queue: deque[tuple[bytes, bool]] | None = None  # an empty one takes 700 bytes
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None
        self.opened_at: float
        self.opened_at = self._sent_at = self._loop.time()
        self.transitions_queued: int = 0
        self.session: Session | None = None

    def send(self, *messages: bytes, transition: bool = False) -> None:
        """Queue a message, or the chunks of one; a client that does not read is cut off at a bound."""
        if self._closing is not None:
            return
        small = not self._bytes and len(messages) == 1 and len(messages[0]) <= DIRECT_BYTES_MAX
        if small and not transition:
            # The Transition that covers a response is mostly made in the next turn of the loop: one write for both.
            if not self._held:
                self._loop.call_soon(self._write_held)
            self._held.append(messages[0])
            return
        if small and self._write_at_once([*self._held, messages[0]] if self._held else messages):
            self._held = []
            return
        self._write_held()
        self._enqueue(messages, transition)

    def _write_held(self) -> None:
        held, self._held = self._held, []
        if held and not self._write_at_once(held):
            self._enqueue(held, False)

    def _write_at_once(self, messages: Sequence[bytes]) -> bool:
        """Write whole frames; False if the client is slow or gone."""
        frames = _framed.frame(messages[0]) if len(messages) == 1 else b"".join(map(_framed.frame, messages))
        if not self._write_frame(frames):
            return False
        self._sent_at = self._loop.time()
        return True

    def _enqueue(self, messages: Sequence[bytes], transition: bool) -> None:
        waiting = self._bytes
        if self._queue is None:
            self._queue = deque()
        self._queue += [(message, False) for message in messages[:-1]]
        self._queue.append((messages[-1], transition))
        self._bytes += sum(map(len, messages))
        self.transitions_queued += transition
        self._write_on()
        if waiting and self._bytes > self._knobs.socket_buffer_bytes:
            self._queue.clear()
            if self.session is not None:
                self.session.close(1013, "SlowReader")

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued; a client that does not take even that is dropped after a while."""
        if self._closing is None:
            self._write_held()
            self._closing = (code, reason[:120])
            self._write_on()
            self._loop.call_later(CLOSE_WITHIN_S, _abort, self._send)

    async def written(self) -> None:
        """Return when what is queued was written, or the client is gone."""
        if self._writing is not None:
            await self._writing

    async def end(self) -> None:
        """Write no more: the connection is closed."""
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing

    def _write_on(self) -> None:
        if self._writing is None:
            self._writing = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Write what is queued, and close if that is wanted."""
        try:
            while self._queue:
                message, transition = self._queue.popleft()
                await self._send({"type": "websocket.send", "text": message.decode()})
                self._sent_at = self._loop.time()
                self._bytes -= len(message)
                del message  # a big one must not stay while the next is waited for
                if transition:
                    self.transitions_queued -= 1
                    if self.session is not None and self.transitions_queued == 1:
                        self.session.drained()
            if self._closing is not None:
                code, reason = self._closing
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
                return  # and never again: it stays the task that wrote
        except (OSError, RuntimeError):
            return  # the client is gone; the reader notices too
        self._writing = None

    def ping_after_silence(self, now: float) -> None:
        """Ping if nothing was sent for a while."""
        if now - self._sent_at >= self._knobs.ping_interval_s and not self._bytes and self._closing is None:
            self.send(sync.PING)  # what the client has not taken yet ends the silence, too


def _abort(send: Send) -> None:
    """Drop a connection without waiting until the client has read what is on its way; ASGI has no word for this."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()


def takes_chunks(version: str | None) -> bool:
    """Say whether a client reassembles TransitionChunks: npm clients since 1.28; others treat one as an error."""
    if version is None:
        return False
    numbers = version.split("-")[0].split(".")
    if len(numbers) < 2 or not all(part.isdecimal() for part in numbers[:2]):
        return False
    return (int(numbers[0]), int(numbers[1])) >= CHUNKS_SINCE


class Sockets:
    """All open sync sockets of a deployment."""

    def __init__(self, *, hub: Hub, functions: FunctionRunner, knobs: Knobs, shares: ActionShares) -> None:
        self._hub = hub
        self._functions = functions
        self._knobs = knobs
        self._shares = shares
        self._sessions: dict[Session, SocketTransport] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._leaving: tuple[int, str] | None = None

    def __len__(self) -> int:
        """Return the number of open sockets."""
        return len(self._sessions)

    async def serve(self, version: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it is closed."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        knobs = self._knobs
        extensions: dict[str, Any] = scope.get("extensions") or {}
        transport = SocketTransport(send, knobs, extensions.get(WRITE_FRAME, _cannot))
        client = scope.get("client")
        session = Session(
            self._hub,
            self._functions,
            transport,
            knobs,
            chunks=takes_chunks(version),
            share=self._shares.of(client[0] if client else None),
        )
        transport.session = session
        self._sessions[session] = transport
        self._look_soon()
        if self._leaving is not None:
            session.leave(*self._leaving)
        message_waits = False

        def take(text: str) -> bool:
            if message_waits or not session.listening.is_set():
                return False
            session.receive(text)
            return True

        if ON_MESSAGE in extensions:
            extensions[ON_MESSAGE](take)
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    break
                if not session.listening.is_set():
                    message_waits = True
                    await session.listening.wait()
                    message_waits = False
                text = message.get("text")
                if text is None and OVERSIZE in message:
                    session.receive_oversize(*message[OVERSIZE])
                elif text is None:
                    transport.send(sync.fatal_error("binary messages are not part of this protocol"))
                    session.close(1003, "BinaryMessage")
                else:
                    session.receive(text)
                if session.closed:
                    await transport.written()
                    break
        finally:
            session.close(1000, "")
            del self._sessions[session]
            await transport.end()

    def _look_soon(self) -> None:
        if self._looking is None:
            within = min(self._knobs.ping_interval_s, SOCKET_CONNECT_WITHIN_S) / LOOKS_WITHIN
            self._looking = asyncio.get_running_loop().call_later(within, self._look)

    def _look(self) -> None:
        """Look at every socket, now and then: two timers for each would take more memory than its session."""
        self._looking = None
        now = asyncio.get_running_loop().time()
        for session, transport in list(self._sessions.items()):
            if not session.connected and now - transport.opened_at >= SOCKET_CONNECT_WITHIN_S:
                session.close(1008, "NotConnected")
            else:
                transport.ping_after_silence(now)
        if self._sessions:
            self._look_soon()

    def sign_in_again(self) -> None:
        """Have those come back who are signed in: other issuers are trusted than when their tokens were checked."""
        for session in list(self._sessions):
            if session.caller.claims and not session.caller.admin:
                session.close(1001, "AuthProvidersChanged")

    def key_revoked(self, key_id: str) -> None:
        """End what a revoked key has opened; who comes back with it is refused."""
        for session in list(self._sessions):
            if session.caller.key_id == key_id:
                session.close(1001, "KeyRevoked")

    def leave_all(self, code: int, reason: str) -> None:
        """Close every socket as soon as its calls are answered, and those that are opened from now on at once."""
        self._leaving = (code, reason)
        for session in list(self._sessions):
            session.leave(code, reason)

    def close_all(self, code: int, reason: str) -> None:
        """Close every socket with a code that makes clients come back."""
        for session in list(self._sessions):
            session.close(code, reason)
