"""What an `async def` action asks of the engine: each request is a coroutine, and none may be forgotten."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from convexpy.functions._host import ActionHost


class Requests:
    """The requests of one action; knows those that nobody has begun to await."""

    __slots__ = ("_keys", "_waiting", "host")

    def __init__(self, host: ActionHost) -> None:
        self.host: ActionHost = host
        self._keys = itertools.count()
        self._waiting: dict[int, tuple[str, Coroutine[Any, Any, Any]]] = {}

    def ask(
        self,
        operation: str,
        payload: dict[str, Any],
        convert: Callable[[Any], Any] | None = None,
        *,
        label: str | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that makes a request and gives its converted result."""

        async def request() -> Any:
            result = await self.host.request(operation, payload)
            return result if convert is None else convert(result)

        return self.track(request, label or operation)

    def track(self, work: Callable[[], Awaitable[Any]], label: str) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that does the work and counts as forgotten until it begins."""
        key = next(self._keys)

        async def run() -> Any:
            self._waiting.pop(key, None)
            return await work()

        coroutine = run()
        self._waiting[key] = (label, coroutine)
        return coroutine

    def unawaited(self) -> list[str]:
        """Return what was asked for and never awaited, and forget it."""
        forgotten = list(self._waiting.values())
        self._waiting.clear()
        for _, coroutine in forgotten:
            coroutine.close()
        return [label for label, _ in forgotten]
