"""The mutations and actions of a session that have not been answered yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from convexpy.limits import Knobs
from convexpy.protocol import sync
from convexpy.sync.interface import Done
from convexpy.sync.shares import ActionShare

CallKind = Literal["mutation", "action"]


class PendingCall:
    """One call; `response` is there when it has ended."""

    __slots__ = ("kind", "request_id", "response", "size")

    def __init__(self, kind: CallKind, request_id: int, size: int) -> None:
        self.kind: CallKind = kind
        self.request_id: int = request_id
        self.size: int = size
        self.response: bytes | None = None


class PendingCalls:
    """Counts calls and their arguments, and sends responses of mutations in the order of the requests."""

    def __init__(self, knobs: Knobs, send: Callable[[bytes], None], share: ActionShare) -> None:
        self._send = send
        self._share = share
        self._bytes = 0
        self._knobs = knobs
        self._running = {"mutation": 0, "action": 0}
        self._mutations: list[PendingCall] = []  # few at a time; an empty deque takes 700 bytes

    def __len__(self) -> int:
        """Return how many calls have no response yet."""
        return sum(self._running.values())

    @property
    def too_many_bytes(self) -> bool:
        """Whether the arguments that wait are so many that the client has to wait, too."""
        return self._bytes > self._knobs.socket_buffer_bytes

    def begin(self, kind: CallKind, request_id: int, size: int) -> PendingCall | None:
        """Count a call whose arguments have `size` bytes; None if there are too many of its kind."""
        knobs = self._knobs
        most = knobs.mutations_waiting_per_socket if kind == "mutation" else knobs.actions_running_per_socket
        if self._running[kind] >= most or (kind == "action" and not self._share.begin()):
            return None
        self._running[kind] += 1
        self._bytes += size
        call = PendingCall(kind, request_id, size)
        if kind == "mutation":
            self._mutations.append(call)
        return call

    def end(self, call: PendingCall, done: Done, *, answer: bool) -> None:
        """Count the end of a call, and answer it unless its client has gone."""
        self._running[call.kind] -= 1
        self._bytes -= call.size
        if call.kind == "action":
            self._share.end()
        if not answer:
            return
        call.response = _response(call, done)
        if call.kind == "action":
            self._send(call.response)
        # A refusal is known before what runs has ended.
        while self._mutations and (response := self._mutations[0].response) is not None:
            del self._mutations[0]
            self._send(response)


def _response(call: PendingCall, done: Done) -> bytes:
    mutation = call.kind == "mutation"
    if done.message is not None:
        kind: Literal["MutationResponse", "ActionResponse"] = (
            "MutationResponse" if mutation else "ActionResponse"
        )
        return sync.failed_response(kind, call.request_id, done.message, done.data, done.log_lines)
    if mutation:
        return sync.mutation_response(call.request_id, done.value, done.ts, done.log_lines)
    return sync.action_response(call.request_id, done.value, done.log_lines)
