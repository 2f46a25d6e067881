"""Requests of actions go to the service that has registered for their kind."""

from __future__ import annotations

import asyncio

import pytest

from convexpy.engine.action_requests import ActionRequests
from convexpy.protocol.frames import Call, CallFailure, Request

CALL = Call(7, "action", "app:act", b"{}", "r", 0)


@pytest.mark.parametrize(
    ("operation", "answered_by"), [("storage_get", "storage"), ("call", "call"), ("http_start", "http")]
)
def test_the_first_part_of_the_operation_decides(operation: str, answered_by: str) -> None:
    requests = ActionRequests()
    for kind in ("storage", "call", "http"):

        async def answer(call: Call, request: Request, kind: str = kind) -> tuple[bytes, CallFailure | None]:
            return kind.encode(), None

        requests.register(kind, answer)
    value, failure = asyncio.run(requests.serve(CALL, Request(7, 1, operation, b"{}")))
    assert (value.decode(), failure) == (answered_by, None)


def test_an_operation_that_nobody_has_registered_for_fails_by_name() -> None:
    value, failure = asyncio.run(ActionRequests().serve(CALL, Request(7, 1, "search", b"{}")))
    assert failure is not None
    assert (value, failure.code, failure.function) == (b"null", "NotAvailable", "app:act")
