"""What running actions ask of the server: each kind of request is answered by the service that has registered for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from convexpy.protocol.frames import Call, CallFailure, Request

Answer = Callable[[Call, Request], Awaitable[tuple[bytes, CallFailure | None]]]
"""Returns the value, or the failure, of a request."""


class ActionRequests:
    """Passes requests on by the first part of their operation: `storage_get` goes to `storage`."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def register(self, kind: str, answer: Answer) -> None:
        """Have `answer` called for every request of this kind."""
        self._answers[kind] = answer

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Answer a request (an operation of `functions._host.ActionHost`, or of an HTTP action's connection)."""
        answer = self._answers.get(request.operation.partition("_")[0])
        if answer is None:
            detail = "vector search is not available in this version of convexpy"
            return b"null", CallFailure("NotAvailable", detail, function=call.path)
        return await answer(call, request)
