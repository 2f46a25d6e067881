"""What a session needs around it: somebody who runs functions and checks tokens, and a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from convexpy.access import Caller
from convexpy.errors import AuthError
from convexpy.protocol import sync


class Done(msgspec.Struct):
    """How a mutation or an action ended. `message` is the failure text, None on success."""

    value: bytes
    message: str | None
    data: bytes | None
    log_lines: bytes
    ts: int = 0


class Backend(Protocol):
    """What a session asks of the deployment."""

    def canonical_args(self, args: bytes) -> bytes:
        """Return the one object of `args` (`[{}]` or `{}`) as canonical wire JSON, anything else as it came."""
        ...

    def canonical_path(self, path: str) -> str:
        """Return `mod:fn` for a path in any of its spellings."""
        ...

    def run_mutation(
        self, path: str, args: bytes, caller: Caller, session: str, request: int, done: Callable[[Done], None]
    ) -> None:
        """Run a mutation; `done` is called when it is durable, before any tick sees its row."""
        ...

    def run_action(
        self, path: str, args: bytes, caller: Caller, session: str, request: int, done: Callable[[Done], None]
    ) -> None:
        """Run an action."""
        ...

    def authenticate(self, message: sync.Authenticate, done: Callable[[Caller | AuthError], None]) -> None:
        """Check a token or key; `done` is told, at once if the issuer's keys are at hand."""
        ...

    def observed(self, ts: int) -> bool:
        """A client has seen this timestamp: later ones must be above it. False when it makes no sense."""
        ...


class Transport(Protocol):
    """The socket of a session."""

    def send(self, *messages: bytes, transition: bool = False) -> None:
        """Queue one message, or the chunks of one; Transitions are counted."""
        ...

    @property
    def transitions_queued(self) -> int:
        """How many Transitions have not left yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what is queued."""
        ...
