"""The requests under way: a stop waits for them, and answers those that it cannot wait for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Any, Protocol

from convexpy.errors import RequestError
from convexpy.sync import ActionShares


class Cancellable(Protocol):
    """A task, or what can be cancelled like one."""

    def cancel(self) -> object:
        """End it with an answer that says so."""
        ...


class RunningRequests:
    """Requests that somebody waits for. Those that wait for news themselves, as readers of logs do, are not among them."""

    def __init__(self, shares: ActionShares) -> None:
        self.shares = shares
        self._running: set[Cancellable] = set()
        self.cut: bool = False

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._running)

    def begin(self) -> asyncio.Task[Any]:
        """Add the current task."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        return task

    def add(self, request: Cancellable) -> None:
        """Add a request that is not a task."""
        self._running.add(request)

    def end(self, request: Cancellable) -> None:
        """Remove a request."""
        self._running.discard(request)

    def cut_all(self) -> None:
        """Cancel what is left; each answers with `refusal`, if it has not begun to answer."""
        self.cut = True
        for request in list(self._running):
            request.cancel()


@contextlib.contextmanager
def within_share(shares: ActionShares, address: str | None) -> Generator[None]:
    """Count an action of a client while it runs.

    Raises:
        RequestError: the client runs too many (429).
    """
    share = shares.of(address)
    if not share.begin():
        raise RequestError(
            f"actions of one address that run at once are limited by actions_running_per_address: {shares.limit}",
            status=429,
            code="TooManyConcurrentActions",
        )
    try:
        yield
    finally:
        share.end()


def refusal() -> RequestError:
    """Return what a call is told that the stop of the server cut."""
    return RequestError(
        "the deployment is shutting down and did not wait for the end of this call: it may or may not have taken effect",
        status=503,
        code="ShuttingDown",
    )
